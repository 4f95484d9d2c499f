//! `GET /admin/logo/HASH.png`: the logo that an administrator chose, for the sign-in page too. Its address changes with it.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use control::Control;

use crate::middleware::security_headers::Lasting;

/// The image, or 404 where the address is not of the one in force.
pub async fn logo(State(control): State<Control>, Path(file): Path<String>) -> Response {
    match control.logo(&file) {
        Some((media_type, bytes)) => {
            let mut response = ([(header::CONTENT_TYPE, media_type)], bytes).into_response();
            response.extensions_mut().insert(Lasting);
            response
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
