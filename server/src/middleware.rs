//! What stands around everything under `/admin`, whoever answers it. From outside in: security headers, a request id,
//! the guard (host, then origin), the time and size of a request body.

pub mod body;
pub mod csrf;
pub mod guard;
pub mod host;
pub mod request_id;
pub mod security_headers;

use axum::{Router, middleware::from_fn, middleware::from_fn_with_state};

use guard::Guard;

/// Puts the layers around `router`, and all but the last around `bounded`, which reads its bodies itself, with bounds of its
/// own.
pub fn around(router: Router, bounded: Router, guard: Guard) -> Router {
    let limited = router.layer(from_fn_with_state(guard.clone(), body::limit));
    around_unguarded(limited.merge(bounded).layer(from_fn_with_state(guard, guard::check)))
}

/// What remains around something that only reads and that asks the guard itself, where it has to.
pub fn around_unguarded(router: Router) -> Router {
    router.layer(from_fn(request_id::add)).layer(from_fn(security_headers::add))
}
