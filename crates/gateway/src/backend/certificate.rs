//! When a backend's certificate ends, so that somebody hears of it before it does (R07). Trust is decided elsewhere, by the
//! TLS library; nothing here refuses anything.

use yasna::{ASN1Result, BERReader, Tag, tags::TAG_UTCTIME};

const DAY: u64 = 24 * 60 * 60 * 1_000;
/// From when on people are told.
const EARLY: u64 = 14 * DAY;

/// The last moment of an X.509 certificate in Unix milliseconds, `None` if it is none (RFC 5280, section 4.1).
pub(super) fn end(der: &[u8]) -> Option<u64> {
    let end = yasna::parse_der(der, |reader| {
        reader.read_sequence(|reader| {
            let end = reader.next().read_sequence(|reader| {
                reader.read_optional(|reader| reader.read_tagged(Tag::context(0), |reader| reader.read_u8()))?;
                for _serial_algorithm_issuer in 0..3 {
                    reader.next().read_der()?;
                }
                let end = reader.next().read_sequence(|reader| {
                    time(reader.next())?;
                    time(reader.next())
                })?;
                while reader.read_optional(|reader| reader.read_der())?.is_some() {}
                Ok(end)
            })?;
            for _algorithm_signature in 0..2 {
                reader.next().read_der()?;
            }
            Ok(end)
        })
    });
    end.ok()
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<u64> {
    let seconds = if reader.lookahead_tag()? == TAG_UTCTIME {
        reader.read_utctime()?.datetime().unix_timestamp()
    } else {
        reader.read_generalized_time()?.datetime().unix_timestamp()
    };
    Ok(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000))
}

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
    use crate::backend::unix_now;

    #[test]
    fn the_end_of_a_certificate_is_read_and_told_two_weeks_before() {
        let authority = Authority::default();
        for (days, soon) in [(10, true), (13, true), (15, false), (400, false)] {
            let pair = authority.pair_until(&["gpu.lan"], days);
            let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let (found, now) = (end(&der).unwrap(), unix_now());
            let expected = now + u64::from(days) * DAY;
            assert!(found.abs_diff(expected) < DAY / 2, "{days}: {found} {expected}");
            assert_eq!(ends_soon(found, now), soon, "{days}");
            for cut in 0..der.len() {
                assert_eq!(end(&der[..cut]), None, "{cut}");
            }
        }
        // A time of the other form, which ends in the year 2126.
        assert!(end(include_bytes!("tests/tls/localhost.cert.der")).unwrap() > 4_000_000_000_000);
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
