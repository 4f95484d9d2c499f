//! Disabling and enabling several users at once: all of them or none.

use domain::{
    error::AdminError,
    id::UserId,
    user::{MOST_SWITCHED, SetUsersEnabled, UsersSwitched},
};
use store::row::{Op, UserRow};

use crate::{Actor, Control, fault, name};

impl Control {
    /// In one transaction, with a row of changes for each user in the audit log.
    pub async fn set_users_enabled(&self, actor: &Actor, input: SetUsersEnabled) -> Result<UsersSwitched, AdminError> {
        let by = actor.operates("users switched")?;
        let chosen: Vec<&str> = input.ticked().collect();
        if chosen.is_empty() {
            return Err(AdminError::invalid("users", "choose at least one user"));
        }
        if chosen.len() > MOST_SWITCHED {
            let message = format!("choose at most {MOST_SWITCHED} users at once");
            return Err(AdminError::invalid("users", message));
        }
        let ids = chosen.into_iter().map(|id| UserId::new(id).map_err(|_| fault::not_found("user")));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let (names, unchanged) = self
            .mutate(by, |state| {
                let mut rows = ids.iter().map(|id| state.user(id)).collect::<Result<Vec<_>, _>>()?;
                rows.sort_by_cached_key(|row| name::fold(&row.name));
                let (changed, same): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.enabled != input.enabled);
                let names: Vec<String> = changed.iter().map(|row| row.name.clone()).collect();
                let ops = changed.into_iter().map(|row| Op::PutUser(UserRow { enabled: input.enabled, ..row.clone() }));
                Ok((ops.collect(), (names, same.len())))
            })
            .await?;
        Ok(UsersSwitched { told: told(input.enabled, &names, unchanged), names })
    }
}

fn told(enabled: bool, names: &[String], unchanged: usize) -> String {
    let word = if enabled { "enabled" } else { "disabled" };
    let users = |count: usize| if count == 1 { "1 user".to_owned() } else { format!("{count} users") };
    let rest = match unchanged {
        0 => String::new(),
        1 => format!("; 1 was {word} already"),
        count => format!("; {count} were {word} already"),
    };
    match names {
        [] => format!("nothing to do: {} already {word}", users(unchanged)),
        names => format!("{word} {}: {}{rest}", users(names.len()), names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_how_many_and_whom() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(told(false, &names(&["ada"]), 0), "disabled 1 user: ada");
        assert_eq!(told(true, &names(&["ada", "bob"]), 1), "enabled 2 users: ada, bob; 1 was enabled already");
        assert_eq!(told(false, &[], 2), "nothing to do: 2 users already disabled");
    }
}
