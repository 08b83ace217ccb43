//! Certificates made: those of `genCA`, `genSelfSignedCert` and `genSignedCert`.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::super::error::{Fault, failed};
use super::super::functions::random::fill;
use super::super::functions::time::{Time, utc_stamp};
use super::der::{self, bits, context, element, integer, oid, sequence, small};
use super::key::PrivateKey;
use super::oids;

/// What a certificate is to say.
pub(crate) struct Request<'r> {
    pub(crate) common_name: &'r [u8],
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) days: i64,
    pub(crate) authority: bool,
}

/// Makes a certificate of `key`, signed by `signer`: subject (in DER) and key identifier of the authority, and its key; none signs itself.
pub(crate) fn issue(
    request: &Request<'_>,
    key: &PrivateKey,
    signer: Option<(&[u8], &[u8], &PrivateKey)>,
) -> Result<Vec<u8>, Fault> {
    let built = build(request, key, signer)?;
    built.map_or_else(|| failed("the certificate can't be made"), Ok)
}

fn build(
    request: &Request<'_>,
    key: &PrivateKey,
    signer: Option<(&[u8], &[u8], &PrivateKey)>,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut serial = [0; 16];
    fill(&mut serial)?;
    let subject = name(request.common_name);
    let Some(public) = key.public() else {
        return Ok(None);
    };
    // The identifier of an authority is the hash of its public key's bits.
    let own_id = der::Reader::new(&public).enter(der::SEQUENCE).and_then(|mut fields| {
        fields.next()?;
        Some(Sha1::digest(fields.expect(der::BIT_STRING)?.get(1..)?).to_vec())
    });
    let own_id = own_id.unwrap_or_default();
    let (issuer, authority_id, signing_key) = signer.unwrap_or((&subject, &[], key));
    // Which algorithm signs is part of what is signed; a first signature of nothing tells it.
    let Some((algorithm, _)) = signing_key.sign(b"") else {
        return Ok(None);
    };
    let now = Time::now();
    let end = now.plus_days(request.days);
    let body = sequence(&[
        &element(context(0), &[&small(2)]),
        &integer(&serial),
        &algorithm,
        issuer,
        &sequence(&[&stamp(&now), &stamp(&end)]),
        &subject,
        &public,
        &element(context(3), &[&extensions(request, &own_id, authority_id)]),
    ]);
    let Some((algorithm, signature)) = signing_key.sign(&body) else {
        return Ok(None);
    };
    Ok(Some(sequence(&[&body, &algorithm, &bits(&signature)])))
}

fn name(common_name: &[u8]) -> Vec<u8> {
    if common_name.is_empty() {
        return sequence(&[]);
    }
    sequence(&[&element(der::SET, &[&sequence(&[&oid(oids::COMMON_NAME), &element(der::UTF8, &[common_name])])])])
}

/// Two-digit years up to 2049, as X.509 wants it.
fn stamp(time: &Time) -> Vec<u8> {
    let (text, long) = utc_stamp(time);
    element(if long { der::GENERALIZED_TIME } else { der::UTC_TIME }, &[text.as_bytes()])
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(id), flag, &element(der::OCTETS, &[value])])
}

fn extensions(request: &Request<'_>, own_id: &[u8], authority_id: &[u8]) -> Vec<u8> {
    // Bits from the left: digitalSignature, keyEncipherment and, for an authority, keyCertSign.
    let usage: &[u8] = if request.authority { &[2, 0b1010_0100] } else { &[5, 0b1010_0000] };
    let basic = if request.authority { sequence(&[&[1, 1, 0xff]]) } else { sequence(&[]) };
    let mut all = vec![
        extension(oids::KEY_USAGE, true, &element(der::BIT_STRING, &[usage])),
        extension(oids::EXT_KEY_USAGE, false, &sequence(&[&oid(oids::SERVER_AUTH), &oid(oids::CLIENT_AUTH)])),
        extension(oids::BASIC_CONSTRAINTS, true, &basic),
    ];
    if request.authority {
        all.push(extension(oids::SUBJECT_KEY_ID, false, &element(der::OCTETS, &[own_id])));
    }
    if !authority_id.is_empty() {
        all.push(extension(oids::AUTHORITY_KEY_ID, false, &sequence(&[&element(0x80, &[authority_id])])));
    }
    let mut names: Vec<Vec<u8>> = request.names.iter().map(|name| element(0x82, &[name])).collect();
    names.extend(request.addresses.iter().map(|address| match address {
        IpAddr::V4(v4) => element(0x87, &[&v4.octets()]),
        IpAddr::V6(v6) => element(0x87, &[&v6.octets()]),
    }));
    if !names.is_empty() {
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        all.push(extension(oids::SUBJECT_ALT_NAME, request.common_name.is_empty(), &sequence(&names)));
    }
    sequence(&all.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>())
}
