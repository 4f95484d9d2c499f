//! What people are told of a certificate. TLS itself reads certificates with its own library; nothing here decides about
//! trust.

use std::net::IpAddr;

use domain::tls::CertificateView;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use yasna::{ASN1Result, BERReader, Tag, models::ObjectIdentifier, tags::TAG_UTCTIME};

/// subjectAltName
const ALTERNATIVE_NAMES: [u64; 4] = [2, 5, 29, 17];
/// Tags of the kinds of names we show.
const DNS: u64 = 2;
const ADDRESS: u64 = 7;
/// Where a certificate keeps its extensions.
const EXTENSIONS: u64 = 3;

/// The view of an X.509 certificate, and the Unix milliseconds from which on it is valid. `None` if it is none.
pub(crate) fn facts(certificate: &CertificateDer<'_>) -> Option<(CertificateView, u64)> {
    let body = yasna::parse_der(certificate, |reader| {
        reader.read_sequence(|reader| {
            let body = reader.next().read_sequence(body)?;
            // The algorithm, and the signature.
            reader.next().read_der()?;
            reader.next().read_der()?;
            Ok(body)
        })
    });
    let body = body.ok()?;
    let fingerprint: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    let view = CertificateView {
        names: body.names,
        not_after: body.not_after,
        self_signed: body.self_signed,
        fingerprint: fingerprint.join(":"),
    };
    Some((view, body.not_before))
}

struct Body {
    not_before: u64,
    not_after: u64,
    self_signed: bool,
    names: Vec<String>,
}

/// RFC 5280, section 4.1, as far as it is needed.
fn body(reader: &mut yasna::BERReaderSeq<'_, '_>) -> ASN1Result<Body> {
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
    Ok(Body { not_before, not_after, self_signed: issuer == subject, names })
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
