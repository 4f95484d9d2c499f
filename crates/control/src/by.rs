//! Who changes the configuration, and with what right. Every change is made through a [`By`], which only an actor with the
//! right role yields, so that a use case that forgets to ask for the right cannot change anything, and every change is
//! in the audit log under its actor's name.

use domain::{admin::Role, audit::AuditActor, error::AdminError};

use store::row::AdminRow;

use crate::{Actor, Client, audit};

/// The author of a change and the words for it in log and audit.
#[derive(Debug, Clone)]
pub(crate) struct By {
    pub what: &'static str,
    /// `None` for housekeeping, which no audit tells of.
    pub actor: Option<AuditActor>,
}

impl By {
    /// What the gateway does by itself.
    pub fn gateway(what: &'static str) -> Self {
        Self { what, actor: Some(AuditActor { name: audit::GATEWAY.into(), id: None, role: None, address: None }) }
    }

    /// Housekeeping: what it writes nobody decided.
    pub fn nobody(what: &'static str) -> Self {
        Self { what, actor: None }
    }

    /// Whoever holds the set-up link, or gives the right password: `admin` is the account this makes or opens.
    pub fn of(what: &'static str, admin: &AdminRow, client: &Client) -> Self {
        let address = Some(client.address.to_canonical().to_string());
        let actor =
            AuditActor { name: admin.name.clone(), id: Some(admin.id.clone()), role: Some(admin.role), address };
        Self { what, actor: Some(actor) }
    }
}

impl Actor {
    /// The right to run the fleet: backends, users, keys.
    pub(crate) fn operates(&self, what: &'static str) -> Result<By, AdminError> {
        self.at_least(Role::Operator, what)
    }

    /// The right to everything else.
    pub(crate) fn owns(&self, what: &'static str) -> Result<By, AdminError> {
        self.at_least(Role::Owner, what)
    }

    /// The right to what is the actor's own: its session, password and second factor.
    pub(crate) fn own_account(&self, what: &'static str) -> By {
        By { what, actor: Some(self.audited()) }
    }

    fn at_least(&self, role: Role, what: &'static str) -> Result<By, AdminError> {
        if self.view.role < role {
            let (own, needed) = (self.view.role.as_str(), role.as_str());
            return Err(AdminError::Forbidden { message: format!("your role is {own}: this needs the role {needed}") });
        }
        Ok(By { what, actor: Some(self.audited()) })
    }

    pub(crate) fn audited(&self) -> AuditActor {
        AuditActor {
            name: self.view.name.clone(),
            id: self.address.is_some().then(|| self.view.id.clone()),
            role: Some(self.view.role),
            address: self.address.map(|address| address.to_canonical().to_string()),
        }
    }
}
