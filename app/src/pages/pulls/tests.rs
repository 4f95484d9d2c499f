//! What the page shows, as the server renders it.

use domain::{
    id::{BackendId, PullId},
    pull::{PullLayer, PullState, PullView, WishView},
};

use super::*;
use crate::rendering::html;

fn pull(state: PullState) -> PullView {
    PullView {
        id: PullId::new("pull00000001").unwrap(),
        model: "qwen3:8b".into(),
        backend: BackendId::new("0123456789ab").unwrap(),
        backend_name: "gpu-1".into(),
        by: "root".into(),
        state,
        asked_at: 0,
        ended_at: state.is_over().then_some(1),
        said: "pulling <b>manifest".into(),
        total: 200,
        completed: 50,
        speed: Some(10),
        left_s: Some(15),
        amount: "50 B of 200 B".into(),
        layers: Vec::new(),
        more_layers: 0,
    }
}

fn shown(overview: PullOverview) -> String {
    html(move || {
        let overview = Memo::new(move |_| overview.clone());
        let (connection, _) = signal(Connection::Still);
        view! { <Overview overview connection refresh={Refresh::new()} /> }
    })
}

fn place(unfit: Option<&str>) -> PullPlace {
    PullPlace { id: BackendId::new("0123456789ab").unwrap(), name: "<i>gpu-1".into(), unfit: unfit.map(str::to_owned) }
}

#[test]
fn a_pull_has_a_labelled_bar_its_layers_and_what_a_backend_says_is_text() {
    let layer = PullLayer {
        digest: "sha256:6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa".into(),
        total: 100,
        completed: 33,
        amount: "33 B of 100 B".into(),
    };
    let running = PullView { layers: vec![layer], more_layers: 2, ..pull(PullState::Running) };
    let page = shown(PullOverview { pulls: vec![running], places: vec![place(None)], ..PullOverview::default() });
    for text in [
        r#"value="25" aria-label="qwen3:8b on gpu-1""#,
        r#"value="33" aria-label="Layer 6a0746a1ec1a""#,
        "50 B of 200 B",
        "Pulling &lt;b&gt;manifest.",
        "3 layers",
        "And 2 more.",
        "&lt;i&gt;gpu-1",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(!page.contains("<b>manifest") && !page.contains("<i>gpu"), "{page}");
}

#[test]
fn an_empty_page_says_what_to_do_and_a_short_wish_says_why() {
    let page = shown(PullOverview::default());
    for text in ["Nothing is on its way.", "No model is kept yet.", "Add one on the Backends page first."] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    let wish = WishView {
        model: "qwen3".into(),
        copies: 2,
        only: Vec::new(),
        backends: Vec::new(),
        on: vec!["gpu-1".into()],
        coming: Vec::new(),
        short: Some("gpu-2 is <u>down".into()),
    };
    let places = vec![place(Some("is down now"))];
    let page = shown(PullOverview { wishes: vec![wish], places, ..PullOverview::default() });
    for text in ["Short", "On 1 of 2 backends: gpu-1.", "Gpu-2 is &lt;u&gt;down.", "(is down now)"] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}
