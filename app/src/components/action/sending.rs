//! Sending the fields of a form to a server function, as the functions' own client does.

use leptos::server_fn::{
    client::{Client, browser::BrowserClient},
    error::FromServerFnError,
    redirect::call_redirect_hook,
    request::{ClientReq, browser::BrowserRequest},
    response::{ClientRes, browser::BrowserResponse},
};

use crate::error::AppError;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What the function at `url` answers, as JSON.
pub(super) async fn post(url: &str, fields: String) -> Result<String, AppError> {
    let request: BrowserRequest = ClientReq::<AppError>::try_new_post(url, FORM, JSON, fields)?;
    let response: BrowserResponse = <BrowserClient as Client<AppError>>::send(request).await?;
    let status = ClientRes::<AppError>::status(&response);
    let leads = ClientRes::<AppError>::has_redirect(&response) || (300..400).contains(&status);
    let to = ClientRes::<AppError>::location(&response);
    if status >= 400 {
        return Err(AppError::de(ClientRes::<AppError>::try_into_bytes(response).await?));
    }
    let answer = ClientRes::<AppError>::try_into_string(response).await?;
    if leads {
        call_redirect_hook(&to);
    }
    Ok(answer)
}
