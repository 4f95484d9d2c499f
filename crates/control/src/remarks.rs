//! Labels and notes of users and keys. Two people may write them at once: whoever saves says what was on the screen, and is
//! told where something else is there by now.

use domain::{
    error::{AdminError, FieldError},
    id::{KeyId, UserId},
    key::KeyView,
    remarks::{MAX_LABEL, MAX_NOTE, Remarks, SetKeyRemarks, SetUserRemarks},
    user::UserView,
};
use store::row::{KeyRow, Op, UserRow};
use unicode_normalization::UnicodeNormalization;

use crate::{Actor, Control, name};

/// As they are stored: composed, without blanks around, with line feeds alone.
pub(crate) fn read(typed: &Remarks) -> Result<Remarks, AdminError> {
    let label: String = typed.label.trim().nfc().collect();
    let note: String = typed.note.replace("\r\n", "\n").trim().nfc().collect();
    let mut fields = Vec::new();
    if label.chars().count() > MAX_LABEL {
        fields.push(FieldError::new("label", format!("must be at most {MAX_LABEL} characters")));
    } else if label.chars().any(|letter| letter.is_control() || name::is_invisible(letter)) {
        fields.push(FieldError::new("label", "must not hold control characters or invisible ones"));
    }
    if note.chars().count() > MAX_NOTE {
        fields.push(FieldError::new("note", format!("must be at most {MAX_NOTE} characters")));
    } else if note.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t') || turns(letter)) {
        fields.push(FieldError::new("note", "must not hold control characters or such as turn the reading direction"));
    }
    if fields.is_empty() { Ok(Remarks { label, note }) } else { Err(AdminError::Invalid { fields }) }
}

/// Marks that make text read otherwise than it is written. Notes may join and part letters, as many scripts have to.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether `wanted` may take the place of `now`, of whoever saw what has the version `seen`; `None` sees what there is.
fn check(now: &Remarks, wanted: &Remarks, seen: Option<&str>) -> Result<(), AdminError> {
    let version = now.version();
    if now == wanted || seen.is_none_or(|seen| seen == version) {
        return Ok(());
    }
    let told = |what: &str, is: &str| match is {
        "" => format!("somebody else has taken the {what} away meanwhile; save again to put yours there"),
        is => format!("somebody else has changed the {what} meanwhile to “{is}”; save again to put yours in its place"),
    };
    let mut fields = vec![FieldError::new("seen", version)];
    if now.label != wanted.label {
        fields.push(FieldError::new("label", told("label", &now.label)));
    }
    if now.note != wanted.note {
        fields.push(FieldError::new("note", told("note", &now.note)));
    }
    Err(AdminError::Invalid { fields })
}

impl Control {
    pub async fn set_user_remarks(&self, actor: &Actor, input: SetUserRemarks) -> Result<UserView, AdminError> {
        let wanted = Remarks { label: input.label, note: input.note };
        self.edit_user_remarks(actor, &input.id, Some(&input.seen), |_| wanted.clone()).await
    }

    /// The same, from what is there.
    pub(crate) async fn edit_user_remarks(
        &self,
        actor: &Actor,
        id: &UserId,
        seen: Option<&str>,
        edit: impl Fn(&Remarks) -> Remarks + Send + Sync,
    ) -> Result<UserView, AdminError> {
        self.mutate(actor.operates("user notes changed")?, |state| {
            let row = state.user(id)?;
            let remarks = read(&edit(&row.remarks))?;
            check(&row.remarks, &remarks, seen)?;
            let changed = (remarks != row.remarks).then(|| UserRow { remarks, ..row.clone() });
            Ok((changed.map(Op::PutUser).into_iter().collect(), ()))
        })
        .await?;
        let state = self.state();
        Ok(self.user_view(&state, state.user(id)?))
    }

    /// Of revoked keys too: what they were is worth knowing longest.
    pub async fn set_key_remarks(&self, actor: &Actor, input: SetKeyRemarks) -> Result<KeyView, AdminError> {
        let wanted = Remarks { label: input.label, note: input.note };
        self.edit_key_remarks(actor, &input.id, Some(&input.seen), |_| wanted.clone()).await
    }

    /// The same, from what is there.
    pub(crate) async fn edit_key_remarks(
        &self,
        actor: &Actor,
        id: &KeyId,
        seen: Option<&str>,
        edit: impl Fn(&Remarks) -> Remarks + Send + Sync,
    ) -> Result<KeyView, AdminError> {
        self.mutate(actor.operates("key notes changed")?, |state| {
            let row = state.key(id)?;
            let remarks = read(&edit(&row.remarks))?;
            check(&row.remarks, &remarks, seen)?;
            let changed = (remarks != row.remarks).then(|| KeyRow { remarks, ..row.clone() });
            Ok((changed.map(Op::PutKey).into_iter().collect(), ()))
        })
        .await?;
        let state = self.state();
        Ok(self.key_view(&state, state.key(id)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks(label: &str, note: &str) -> Remarks {
        Remarks { label: label.into(), note: note.into() }
    }

    #[test]
    fn remarks_are_bounded_and_stored_in_one_form() {
        let kept = read(&remarks(" Ame\u{301}lie ", " one\r\ntwo\tتا\u{200c}ب \n")).unwrap();
        assert_eq!(kept, remarks("Amélie", "one\ntwo\tتا\u{200c}ب"));
        assert!(read(&remarks(&"é".repeat(60), &"ж".repeat(1_000))).is_ok());
        let field = |label: &str, note: &str| match read(&remarks(label, note)).unwrap_err() {
            AdminError::Invalid { fields } => fields.into_iter().map(|fault| fault.field).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        assert_eq!(field(&"x".repeat(61), &"x".repeat(1_001)), "label note");
        assert_eq!(field("a\nb", "a\u{0}b"), "label note");
        assert_eq!(field("a\u{200b}b", "a\u{202e}b"), "label note");
    }

    #[test]
    fn what_somebody_else_wrote_is_not_overwritten_unseen() {
        let (before, now) = (remarks("a", "note"), remarks("b", "note"));
        let seen = before.version();
        assert!(check(&before, &remarks("c", ""), Some(&seen)).is_ok());
        assert!(check(&now, &now, Some(&seen)).is_ok(), "the same by two people");
        assert!(check(&now, &before, None).is_ok());
        let refused = check(&now, &remarks("c", "note"), Some(&seen)).unwrap_err();
        assert!(refused.field("label").unwrap().contains("“b”") && refused.field("note").is_none());
        assert!(check(&now, &remarks("c", "note"), refused.field("seen")).is_ok(), "once it was told");
    }
}
