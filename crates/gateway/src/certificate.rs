//! What an X.509 certificate says of itself, for people. TLS reads certificates with its own library; nothing here decides
//! about trust.

use std::net::IpAddr;

use yasna::{ASN1Result, BERReader, Tag, models::ObjectIdentifier, tags::TAG_UTCTIME};

/// subjectAltName
const ALTERNATIVE_NAMES: [u64; 4] = [2, 5, 29, 17];
/// Tags of the kinds of names we show.
const DNS: u64 = 2;
const ADDRESS: u64 = 7;
/// Where a certificate keeps its extensions.
const EXTENSIONS: u64 = 3;

/// What is read of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its first and its last moment in Unix milliseconds; 0 for what is before 1970.
    pub not_before: u64,
    pub not_after: u64,
    /// Its subject is its issuer.
    pub self_signed: bool,
    /// The hosts and addresses it is for.
    pub names: Vec<String>,
}

/// Reads a certificate in DER, `None` if it is none.
pub fn read(der: &[u8]) -> Option<Certificate> {
    let certificate = yasna::parse_der(der, |reader| {
        reader.read_sequence(|reader| {
            let certificate = reader.next().read_sequence(body)?;
            for _algorithm_signature in 0..2 {
                reader.next().read_der()?;
            }
            Ok(certificate)
        })
    });
    certificate.ok()
}

/// RFC 5280, section 4.1, as far as it is needed.
fn body(reader: &mut yasna::BERReaderSeq<'_, '_>) -> ASN1Result<Certificate> {
    let _version = reader.read_optional(|reader| reader.read_tagged(Tag::context(0), |reader| reader.read_u8()))?;
    let _serial = reader.next().read_der()?;
    let _algorithm = reader.next().read_der()?;
    let issuer = reader.next().read_der()?;
    let (not_before, not_after) =
        reader.next().read_sequence(|reader| Ok((time(reader.next())?, time(reader.next())?)))?;
    let subject = reader.next().read_der()?;
    let _public_key = reader.next().read_der()?;
    let mut names = Vec::new();
    while let Some(part) = reader.read_optional(|reader| reader.read_tagged_der())? {
        if part.tag() == Tag::context(EXTENSIONS) {
            names = yasna::parse_der(part.value(), alternative_names)?;
        }
    }
    Ok(Certificate { not_before, not_after, self_signed: issuer == subject, names })
}

/// Unix milliseconds.
fn time(reader: BERReader<'_, '_>) -> ASN1Result<u64> {
    let seconds = if reader.lookahead_tag()? == TAG_UTCTIME {
        reader.read_utctime()?.datetime().unix_timestamp()
    } else {
        reader.read_generalized_time()?.datetime().unix_timestamp()
    };
    Ok(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000))
}

fn alternative_names(reader: BERReader<'_, '_>) -> ASN1Result<Vec<String>> {
    let wanted = ObjectIdentifier::from_slice(&ALTERNATIVE_NAMES);
    let mut names = Vec::new();
    reader.read_sequence_of(|reader| {
        let (name, value) = reader.read_sequence(|reader| {
            let name = reader.next().read_oid()?;
            let _critical = reader.read_optional(|reader| reader.read_bool())?;
            Ok((name, reader.next().read_bytes()?))
        })?;
        if name == wanted {
            names = yasna::parse_der(&value, |reader| reader.collect_sequence_of(|reader| reader.read_tagged_der()))?
                .iter()
                .filter_map(|name| shown(name.tag(), name.value()))
                .collect();
        }
        Ok(())
    })?;
    Ok(names)
}

fn shown(tag: Tag, value: &[u8]) -> Option<String> {
    if tag == Tag::context(DNS) {
        return std::str::from_utf8(value).ok().map(str::to_owned);
    }
    let address = match value.len() {
        4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
    };
    address.filter(|_| tag == Tag::context(ADDRESS)).map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use testkit::certificates::Authority;

    use super::*;

    #[test]
    fn a_certificate_is_read_whole_or_not_at_all() {
        let pair = Authority::default().pair_until(&["gpu.lan", "10.0.0.1"], 10);
        let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
        let found = read(&der).unwrap();
        assert_eq!(found.names, ["gpu.lan", "10.0.0.1"]);
        assert!(found.not_before < found.not_after);
        for cut in 0..der.len() {
            assert_eq!(read(&der[..cut]), None, "{cut}");
        }
        // Times of the other form, which end in the year 2126.
        let long = read(include_bytes!("backend/tests/tls/localhost.cert.der")).unwrap();
        assert!(long.not_after > 4_000_000_000_000);
    }
}
