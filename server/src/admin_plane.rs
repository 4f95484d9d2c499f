//! The bridge to the admin plane. Pages, password hashing and the database run on a runtime of their own, so that
//! whatever they do, the data plane's threads stay free: a request is handed over whole, and its answer comes back
//! frame by frame over a short channel.

mod bridge;

use axum::{
    Router,
    extract::Request as AdminRequest,
    response::IntoResponse,
    routing::{get, post},
};
use control::{Client, Control, MetricsToken};
use gateway::{Body, Gateway};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use leptos::config::LeptosOptions;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    accept::places::Places,
    assets, audit_export, live, log_export, log_live, logo,
    metrics::{Scrape, scrape},
    middleware::{self, guard::Guard},
    playground::{self, Playground},
    pulls_live, reply, usage_export,
};
use bridge::Bridge;

/// Frames of an answer that may wait for a slow reader.
const FRAMES: usize = 8;

/// The run-time options of Leptos; the file in the tree is their source.
pub const LEPTOS_TOML: &str = include_str!("../../Leptos.toml");

/// The admin app on its runtime; cheap to clone.
#[derive(Clone)]
pub struct AdminPlane {
    runtime: Handle,
    router: Router,
}

impl AdminPlane {
    /// Puts the app behind its middleware. `stopping` ends open event streams; what the Playground asks is `gateway`'s, and
    /// drained with it.
    pub fn new(
        runtime: Handle,
        control: Control,
        gateway: Gateway,
        stopping: CancellationToken,
    ) -> Result<Self, toml::de::Error> {
        let guard = Guard::new(control.clone());
        let pages = match assets::manifest() {
            Some(assets) => {
                let options: LeptosOptions = toml::from_str(LEPTOS_TOML)?;
                app::ssr::router(app::ssr::AppState { control: control.clone(), options, assets })
            }
            None => Router::new().fallback(without_assets),
        };
        let export = Router::new()
            .route("/admin/audit/export", get(audit_export::export))
            .route("/admin/requests/export", get(log_export::export))
            .route("/admin/usage/export", get(usage_export::export))
            .route("/admin/logo/{file}", get(logo::logo))
            .with_state(control.clone());
        let playground = Router::new()
            .route("/admin/playground/chat", post(playground::chat))
            .route("/admin/playground/embed", post(playground::embed))
            .with_state(Playground { control: control.clone(), gateway });
        let live = Router::new()
            .route("/admin/live", get(live::live))
            .route("/admin/pulls/live", get(pulls_live::live))
            .route("/admin/requests/live", get(log_live::live))
            .with_state(live::Live { control, stopping });
        Ok(Self { runtime, router: middleware::around(live.merge(export).merge(pages), playground, guard) })
    }

    /// The same with the metrics, for whoever has `token` or a session.
    pub fn with_metrics(self, control: Control, token: Option<MetricsToken>, places: Places) -> Self {
        let scraped = Scrape { guard: Guard::new(control.clone()), control, token, places };
        let metrics = Router::new().route("/metrics", get(scrape)).with_state(scraped);
        Self { router: self.router.merge(middleware::around_unguarded(metrics)), ..self }
    }

    /// Answers one request. What was begun is finished even if the caller goes away: half an admin action is worse than
    /// one nobody waited for. Only the body of the answer ends with its reader, and what is asked of a model with its caller.
    pub async fn call(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        let (mut head, answer) = oneshot::channel();
        let (frames, body) = mpsc::channel(FRAMES);
        let mut request: AdminRequest = request.map(axum::body::Body::new);
        request.extensions_mut().insert(client);
        let given_up = playground::ends_with_caller(request.uri().path());
        let service = self.router.clone();
        self.runtime.spawn(async move {
            let Ok(response) = tokio::select! {
                response = service.oneshot(request) => response,
                () = head.closed(), if given_up => return,
            };
            let (parts, mut body) = response.into_parts();
            if head.send(parts).is_err() {
                return;
            }
            loop {
                let frame = tokio::select! {
                    frame = body.frame() => frame,
                    () = frames.closed() => return,
                };
                let ended = frame.is_none();
                let frame = frame.map(|frame| frame.map_err(Into::into));
                if frames.send(frame).await.is_err() || ended {
                    return;
                }
            }
        });
        match answer.await {
            Ok(parts) => Response::from_parts(parts, Bridge::new(body).boxed_unsync()),
            // The task panicked; the runtime's panic hook has told where.
            Err(_) => {
                tracing::error!("answering a request of the admin pages panicked");
                reply::refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
            }
        }
    }
}

async fn without_assets() -> axum::response::Response {
    let sentence = "this binary was built without the admin pages: build it with `cargo xtask build`";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], sentence).into_response()
}

#[cfg(test)]
mod tests {
    use super::LEPTOS_TOML;

    #[test]
    fn leptos_options_are_the_same_for_build_and_run() {
        let cargo: toml::Table = toml::from_str(include_str!("../../Cargo.toml")).unwrap();
        let built = &cargo["workspace"]["metadata"]["leptos"][0];
        let run: toml::Table = toml::from_str(LEPTOS_TOML).unwrap();
        for name in ["output-name", "site-root", "site-pkg-dir", "site-addr", "reload-port"] {
            assert_eq!(run.get(name), built.get(name), "{name}");
        }
        assert_eq!(run.len(), 5, "a name that nobody compares");
        toml::from_str::<leptos::config::LeptosOptions>(LEPTOS_TOML).unwrap();
    }
}
