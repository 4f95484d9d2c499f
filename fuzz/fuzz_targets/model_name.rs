//! A name that is one stays the same name in its canonical spelling and as it is shown.
#![no_main]

use domain::model::{ModelName, ModelNameError, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok((name, _)) = ModelName::parse(text) else { return };
    assert_eq!(name.as_str(), name.as_str().to_ascii_lowercase(), "canonical names are lower case");
    for spelling in [name.as_str(), name.display()] {
        match ModelName::parse(spelling) {
            Ok((again, Source::Unspecified)) => assert_eq!(again, name, "{spelling:?} of {text:?}"),
            // What is left may read like a source once more (`a:cloud:cloud`), which then is no part of the name.
            Ok(_) | Err(ModelNameError::LocalAndCloud(_)) => {}
            Err(error) => panic!("{spelling:?} of {text:?} is no name: {error}"),
        }
    }
});
