//! What the database from a backup has otherwise than the one before it, in sentences: whoever restores has to know who
//! can come in again. Nothing is decided here.

use domain::key::{KEY_PREFIX, KeyStatus};
use store::row::State;

use crate::auto::{SETTING, parse};

pub(super) fn between(present: &State, restored: &State) -> Vec<String> {
    let mut told = Vec::new();
    admins(present, restored, &mut told);
    users(present, restored, &mut told);
    keys(present, restored, &mut told);
    backends(present, restored, &mut told);
    aliases(present, restored, &mut told);
    auto(present, restored, &mut told);
    let marks = |state: &State| {
        let saved = state.settings.iter().filter(|(name, _)| !name.starts_with("mark."));
        saved.cloned().collect::<Vec<_>>()
    };
    if marks(present) != marks(restored) {
        told.push("settings that were saved after the backup are the old ones again".into());
    }
    told
}

fn admins(present: &State, restored: &State, told: &mut Vec<String>) {
    for row in &restored.admins {
        let name = &row.name;
        match present.admins.iter().find(|known| known.id == row.id) {
            None => told.push(format!("the administrator {name} was removed after the backup and is there again")),
            Some(known) => {
                if !known.enabled && row.enabled {
                    told.push(format!("the administrator {name} was disabled after the backup and can sign in again"));
                }
                if known.role != row.role {
                    told.push(format!("the administrator {name} is {} again", row.role.as_str()));
                }
                if known.password_hash != row.password_hash {
                    told.push(format!("the administrator {name} has the password of the backup again"));
                }
                match (known.totp.is_some(), row.totp.is_some()) {
                    (true, false) => told.push(format!("the administrator {name} has no second factor again")),
                    (false, true) => told.push(format!("the administrator {name} has the second factor of the backup")),
                    _ => {}
                }
            }
        }
    }
    for row in present.admins.iter().filter(|row| restored.admins.iter().all(|known| known.id != row.id)) {
        told.push(format!("the administrator {} was added after the backup and is gone", row.name));
    }
}

fn users(present: &State, restored: &State, told: &mut Vec<String>) {
    for row in &restored.users {
        let Some(known) = present.users.iter().find(|known| known.id == row.id) else { continue };
        if known.removed_at.is_some() && row.removed_at.is_none() {
            told.push(format!("the user {} was removed after the backup and is there again, without a key", row.name));
        } else if !known.enabled && row.enabled {
            told.push(format!("the user {} was disabled after the backup and is enabled again", row.name));
        }
        if known.policy != row.policy {
            told.push(format!("the user {} has the policy of the backup again", row.name));
        }
    }
    let gone =
        |row: &&store::row::UserRow| row.removed_at.is_none() && restored.users.iter().all(|known| known.id != row.id);
    for row in present.users.iter().filter(gone) {
        told.push(format!("the user {} was added after the backup and is gone", row.name));
    }
}

fn keys(present: &State, restored: &State, told: &mut Vec<String>) {
    for row in restored.keys.iter().filter(|row| row.status != KeyStatus::Revoked) {
        let Some(known) = present.keys.iter().find(|known| known.id == row.id) else { continue };
        let key = format!("the key {KEY_PREFIX}{} ({})", row.id, row.name);
        if known.status == KeyStatus::Disabled && row.status == KeyStatus::Active {
            told.push(format!("{key} was disabled after the backup and works again"));
        }
        if known.limit != row.limit || known.policy != row.policy {
            told.push(format!("{key} has the limits of the backup again"));
        }
    }
    let lost = |row: &&store::row::KeyRow| {
        row.status != KeyStatus::Revoked && restored.keys.iter().all(|known| known.id != row.id)
    };
    for row in present.keys.iter().filter(lost) {
        told.push(format!(
            "the key {KEY_PREFIX}{} ({}) was made after the backup and does not work any more",
            row.id, row.name
        ));
    }
}

fn backends(present: &State, restored: &State, told: &mut Vec<String>) {
    for row in &restored.backends {
        match present.backends.iter().find(|known| known.id == row.id) {
            None => told.push(format!("the backend {} was removed after the backup and is there again", row.name)),
            Some(known) if !known.enabled && row.enabled => {
                told.push(format!("the backend {} was disabled after the backup and is enabled again", row.name));
            }
            Some(_) => {}
        }
    }
    for row in present.backends.iter().filter(|row| restored.backends.iter().all(|known| known.id != row.id)) {
        told.push(format!("the backend {} was added after the backup and is gone", row.name));
    }
}

fn auto(present: &State, restored: &State, told: &mut Vec<String>) {
    let stored = |state: &State| state.settings.iter().find(|(name, _)| name == SETTING).map(|(_, text)| parse(text));
    let (before, after) = (stored(present).unwrap_or_default(), stored(restored).unwrap_or_default());
    if before.on != after.on {
        told.push(format!("the model auto is switched {} again", if after.on { "on" } else { "off" }));
    } else if before != after {
        told.push("the model auto has the models of the backup again".into());
    }
}

fn aliases(present: &State, restored: &State, told: &mut Vec<String>) {
    for row in &restored.aliases {
        match present.aliases.iter().find(|known| known.name == row.name) {
            None => told.push(format!("the alias {} was removed after the backup and is there again", row.name)),
            Some(known) if known.targets != row.targets => {
                told.push(format!("the alias {} has the models of the backup again", row.name));
            }
            Some(_) => {}
        }
    }
    for row in present.aliases.iter().filter(|row| restored.aliases.iter().all(|known| known.name != row.name)) {
        told.push(format!("the alias {} was added after the backup and is gone", row.name));
    }
}
