//! When a backend's certificate ends, so that somebody hears of it before it does (R07). Nothing here reads certificates or
//! refuses anything.

const DAY: u64 = 24 * 60 * 60 * 1_000;
/// From when on people are told.
const EARLY: u64 = 14 * DAY;

/// One that ends then should be renewed.
pub(super) fn ends_soon(end: u64, now: u64) -> bool {
    end < now.saturating_add(EARLY)
}

/// Says so in the log once a day; `told` is when it was said last.
pub(super) fn warn(backend: &str, end: u64, now: u64, told: &mut Option<u64>) {
    if ends_soon(end, now) && told.is_none_or(|told| now.saturating_sub(told) >= DAY) {
        *told = Some(now);
        let days = end.saturating_sub(now) / DAY;
        tracing::warn!(backend, days, "the certificate of a backend ends soon: it is refused from then on; renew it");
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use testkit::certificates::Authority;

    use super::*;
    use crate::{backend::unix_now, certificate::read};

    #[test]
    fn the_end_of_a_certificate_is_told_two_weeks_before() {
        let authority = Authority::default();
        for (days, soon) in [(10, true), (13, true), (15, false), (400, false)] {
            let pair = authority.pair_until(&["gpu.lan"], days);
            let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let (found, now) = (read(&der).unwrap().not_after, unix_now());
            let expected = now + u64::from(days) * DAY;
            assert!(found.abs_diff(expected) < DAY / 2, "{days}: {found} {expected}");
            assert_eq!(ends_soon(found, now), soon, "{days}");
        }
    }

    #[test]
    fn it_is_said_once_a_day() {
        let mut told = None;
        for (now, expected) in [(0, None), (20 * DAY, Some(20)), (20 * DAY + 1, Some(20)), (21 * DAY, Some(21))] {
            warn("gpu", 30 * DAY, now, &mut told);
            assert_eq!(told, expected.map(|day: u64| day * DAY));
        }
    }
}
