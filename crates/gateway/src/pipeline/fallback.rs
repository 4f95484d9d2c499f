//! The next model of an alias where one turns out not to be there: only while not a byte has reached the client, and only
//! where nothing was sent or the backend says that it has no such model. Within one model `forward` does the same.

use domain::endpoint::Endpoint;
use http::StatusCode;

use super::Exchange;
use crate::{
    account::Account,
    backend::BackendResponse,
    error::Error,
    forward::{self, Dispatch, Outgoing},
    limit::Permit,
    policy::Rules,
    request::{self, Share},
    resolve::{Candidates, Chain, Choice},
};

/// How the request for a model ended.
type Answered = Result<(Choice, BackendResponse), Error>;

pub(super) struct Fallback<'f, 'g> {
    pub(super) exchange: &'f Exchange<'g>,
    pub(super) rules: &'f Rules,
    /// Hash of what the request should stay together with.
    pub(super) together: Option<u64>,
    /// Of the body.
    pub(super) share: &'f mut Share,
}

impl Fallback<'_, '_> {
    /// Another model may be asked after this.
    pub(super) fn is_due(answer: &Answered, outgoing: &Outgoing<'_>) -> bool {
        match answer {
            Ok((_, response)) => response.status == StatusCode::NOT_FOUND && !goes_on(outgoing),
            Err(error) => matches!(error, Error::NoBackend | Error::Unreachable),
        }
    }

    /// Asks the other models of the alias, one after the other, until one answers.
    #[expect(clippy::too_many_arguments, reason = "what one request is made of, which its first try has had already")]
    pub(super) async fn run(
        self,
        mut answer: Answered,
        mut chain: Box<Chain>,
        dispatch: &mut Dispatch<'_>,
        permit: &Permit,
        candidates: &mut Candidates,
        outgoing: &mut Outgoing<'_>,
        account: &mut Account,
    ) -> Answered {
        let Self { exchange: Exchange { inner, view, parts, .. }, rules, together, share } = self;
        while Self::is_due(&answer, outgoing) {
            let now = inner.now();
            let Some(next) = chain.next(view, rules, now) else { break };
            // What was sent costs the budget of retries, as everywhere.
            if answer.is_ok() && !inner.retries.take(now) {
                break;
            }
            match answer {
                Ok((choice, response)) => {
                    // Its slot must not be held while the next one is waited for.
                    drop(choice);
                    response.body.put_by();
                    account.retried();
                }
                Err(Error::NoBackend) => {}
                Err(_) => account.retried(),
            }
            *candidates = next;
            together.into_iter().for_each(|hash| candidates.together(hash));
            account.other_model(candidates.model());
            account.via(chain.via());
            let body = std::mem::take(&mut outgoing.body);
            outgoing.body =
                request::rename(outgoing.endpoint, &parts.headers, (body, &mut *share), chain.model()).await?;
            answer = forward::forward(dispatch, permit, candidates, outgoing, account).await;
        }
        answer
    }
}

/// Goes on with an answer that a backend keeps: what is not found there is that answer, and another model would know nothing
/// of it. A text that only mentions the member counts as well; it loses no more than its fallback.
fn goes_on(outgoing: &Outgoing<'_>) -> bool {
    outgoing.endpoint == Endpoint::OpenAiResponses
        && memchr::memmem::find(&outgoing.body, b"previous_response_id").is_some()
}
