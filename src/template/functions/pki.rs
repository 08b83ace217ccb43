//! Sprig's and ESO's functions on keys, certificates, JWKs and PKCS#12.

use std::net::IpAddr;
use std::rc::Rc;

use super::super::codec::{base64_decode, base64_encode, json_parse};
use super::super::context::{
    Answer, Args, Context, Param::Certificate as Pair, Param::Int, Param::List, Param::String as Text,
};
use super::super::error::{Fault, failed};
use super::super::pki::{
    PrivateKey, Request, check_certificate, filter_chain, filter_pem, first_block, generator, issue, ordered_chain,
    private_pem, public_pem, read_pkcs12, sans, to_pem, write_pkcs12,
};
use super::super::value::{Certificate, Map, Value};
use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("genPrivateKey", &[Text], gen_private_key).varies(),
    Function::new("genCA", &[Text, Int], |cx, a| authority(cx, a, None)).varies(),
    Function::new("genCAWithKey", &[Text, Int, Text], |cx, a| authority(cx, a, Some(2))).varies(),
    Function::new("genSelfSignedCert", &[Text, List, List, Int], |cx, a| self_signed(cx, a, None)).varies(),
    Function::new("genSelfSignedCertWithKey", &[Text, List, List, Int, Text], |cx, a| self_signed(cx, a, Some(4)))
        .varies(),
    Function::new("genSignedCert", &[Text, List, List, Int, Pair], |cx, a| signed(cx, a, None)).varies(),
    Function::new("genSignedCertWithKey", &[Text, List, List, Int, Pair, Text], |cx, a| signed(cx, a, Some(5)))
        .varies(),
    Function::new("buildCustomCert", &[Text, Text], build_custom),
    Function::new("pkcs12key", &[Text], |cx, a| pkcs12_key(cx, a, false)).cost(STEPS),
    Function::new("pkcs12keyPass", &[Text, Text], |cx, a| pkcs12_key(cx, a, true)).cost(STEPS),
    Function::new("pkcs12cert", &[Text], |cx, a| pkcs12_cert(cx, a, false)).cost(STEPS),
    Function::new("pkcs12certPass", &[Text, Text], |cx, a| pkcs12_cert(cx, a, true)).cost(STEPS),
    Function::new("pemToPkcs12", &[Text, Text], |cx, a| to_pkcs12(cx, a, false)).cost(STEPS),
    Function::new("pemToPkcs12Pass", &[Text, Text, Text], |cx, a| to_pkcs12(cx, a, false)).cost(STEPS),
    Function::new("fullPemToPkcs12", &[Text, Text], |cx, a| to_pkcs12(cx, a, true)).cost(STEPS),
    Function::new("fullPemToPkcs12Pass", &[Text, Text, Text], |cx, a| to_pkcs12(cx, a, true)).cost(STEPS),
    Function::new("pemTruststoreToPKCS12", &[Text], truststore).cost(STEPS),
    Function::new("pemTruststoreToPKCS12Pass", &[Text, Text], truststore).cost(STEPS),
    Function::new("filterPEM", &[Text, Text], |cx, a| {
        let found = filter_pem(&a.str(0)?.text(), &a.str(1)?.text())?;
        cx.string(found)
    }),
    Function::new("filterCertChain", &[Text, Text], |cx, a| {
        let found = filter_chain(&a.str(0)?.text(), &a.str(1)?.text())?;
        cx.string(found)
    }),
    Function::new("certSANs", &[Text], |cx, a| {
        let names = sans(&a.str(0)?.text())?;
        cx.strings(names.into_iter().map(Into::into))
    }),
    Function::new("jwkPublicKeyPem", &[Text], |cx, a| {
        let pem = public_pem(&jwk(cx, a)?)?;
        cx.string(pem)
    }),
    Function::new("jwkPrivateKeyPem", &[Text], |cx, a| {
        let pem = private_pem(&jwk(cx, a)?)?;
        cx.string(pem)
    })
    .cost(STEPS),
    Function::new("rsaDecrypt", &[Text, Text, Text, Text], rsa_decrypt).cost(STEPS),
];

/// What reading or using a key costs, in steps.
const STEPS: u64 = 10_000;
/// What making an RSA key costs: seconds, at times.
const RSA_2048: u64 = 150_000;
const RSA_4096: u64 = 450_000;

fn gen_private_key<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let kind = a.str(0)?;
    let key = match &**kind {
        b"" | b"rsa" => {
            cx.meter.step(RSA_4096)?;
            PrivateKey::generate_rsa(4096)?
        }
        b"ecdsa" => PrivateKey::generate_p256()?,
        b"ed25519" => PrivateKey::generate_ed25519()?,
        b"dsa" => return failed("DSA keys are refused: use rsa, ecdsa or ed25519"),
        _ => return cx.string([b"Unknown type ", &**kind].concat()),
    };
    cx.string(own_pem(&key)?)
}

fn own_pem(key: &PrivateKey) -> Result<String, Fault> {
    key.own_pem().map_or_else(|| failed("the key can't be written"), Ok)
}

/// The key that the `n`th argument holds, or a new one.
fn key(cx: &mut Context<'_>, a: Args<'_, '_>, n: Option<usize>) -> Result<PrivateKey, Fault> {
    match n {
        Some(n) => {
            cx.meter.step(STEPS)?;
            PrivateKey::from_pem(&a.str(n)?.text())
        }
        None => {
            cx.meter.step(RSA_2048)?;
            PrivateKey::generate_rsa(2048)
        }
    }
}

fn pair<'a>(cx: &mut Context<'a>, der: Vec<u8>, key: &PrivateKey) -> Answer<'a> {
    let pair = Certificate { cert: to_pem("CERTIFICATE", der), key: own_pem(key)? };
    cx.meter.memory(pair.cert.len() + pair.key.len())?;
    Ok(Value::Certificate(Rc::new(pair)))
}

fn authority<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, key_at: Option<usize>) -> Answer<'a> {
    let key = key(cx, a, key_at)?;
    let request =
        Request { common_name: a.str(0)?, addresses: Vec::new(), names: Vec::new(), days: a.int(1)?, authority: true };
    pair(cx, issue(&request, &key, None)?, &key)
}

/// What the arguments `name addresses names days` ask for.
fn request<'s>(a: Args<'s, '_>) -> Result<Request<'s>, Fault> {
    let items = |n: usize| match a.get(n) {
        Ok(Value::List(list)) => list.items.as_slice(),
        _ => &[],
    };
    let mut request =
        Request { common_name: a.str(0)?, addresses: Vec::new(), names: Vec::new(), days: a.int(3)?, authority: false };
    for item in items(1) {
        let Value::Str(text) = item else {
            return failed("expected the addresses as strings");
        };
        match text.text().parse::<IpAddr>() {
            Ok(address) => request.addresses.push(address),
            Err(_) => return failed("expected IP addresses in the first list"),
        }
    }
    for item in items(2) {
        let Value::Str(text) = item else {
            return failed("expected the names as strings");
        };
        if !text.is_ascii() {
            return failed("expected DNS names in ASCII");
        }
        request.names.push(text.to_vec());
    }
    Ok(request)
}

fn self_signed<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, key_at: Option<usize>) -> Answer<'a> {
    let request = request(a)?;
    let key = key(cx, a, key_at)?;
    pair(cx, issue(&request, &key, None)?, &key)
}

fn signed<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, key_at: Option<usize>) -> Answer<'a> {
    let request = request(a)?;
    let signer = a.certificate(4)?;
    let Some((der, _)) = first_block(&signer.cert) else {
        return failed("expected the authority's certificate as PEM");
    };
    let issuer = check_certificate(&der)?;
    let signing_key = PrivateKey::from_pem(&signer.key)?;
    if signing_key.public() != Some(issuer.public_key) {
        return failed("the authority's key is not that of its certificate");
    }
    let key = key(cx, a, key_at)?;
    pair(cx, issue(&request, &key, Some((&issuer.subject, &issuer.key_id, &signing_key)))?, &key)
}

fn build_custom<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let text = |n: usize, what: &'static str| match base64_decode(a.str(n)?).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(text),
        _ => failed(what),
    };
    let cert = text(0, "expected the certificate's PEM in base64")?;
    let key = text(1, "expected the key's PEM in base64")?;
    let Some((der, _)) = first_block(&cert) else {
        return failed("expected a certificate as PEM");
    };
    check_certificate(&der)?;
    PrivateKey::from_pem(&key)?;
    cx.meter.memory(cert.len() + key.len())?;
    Ok(Value::Certificate(Rc::new(Certificate { cert, key })))
}

/// Password and file; the password comes first where there is one.
fn opened(cx: &mut Context<'_>, a: Args<'_, '_>, pass: bool) -> Result<super::super::pki::Identity, Fault> {
    let (password, file) = if pass { (a.str(0)?.text().into_owned(), a.str(1)?) } else { (String::new(), a.str(0)?) };
    read_pkcs12(&mut cx.meter, file, &password)
}

fn pkcs12_key<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, pass: bool) -> Answer<'a> {
    let identity = opened(cx, a, pass)?;
    match identity.key.pkcs8() {
        Some(der) => cx.string(to_pem("PRIVATE KEY", der)),
        None => failed("the key can't be written"),
    }
}

fn pkcs12_cert<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, pass: bool) -> Answer<'a> {
    let identity = opened(cx, a, pass)?;
    cx.string(ordered_chain(&identity.certificates))
}

/// All certificates of a text, or the first.
fn certificates(text: &str, all: bool) -> Result<Vec<Vec<u8>>, Fault> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((der, after)) = first_block(rest) {
        check_certificate(&der)?;
        found.push(der);
        rest = after;
        if !all {
            return Ok(found);
        }
    }
    if found.is_empty() || !rest.trim().is_empty() {
        return failed("expected certificates as PEM, and nothing else");
    }
    Ok(found)
}

fn to_pkcs12<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, all: bool) -> Answer<'a> {
    let certificates = certificates(&a.str(0)?.text(), all)?;
    let key = first_block(&a.str(1)?.text()).and_then(|(der, _)| PrivateKey::from_der(&der));
    let Some(key) = key else {
        return failed("expected a private key as PEM, of RSA, P-256, P-384, P-521 or Ed25519");
    };
    let password = if a.all().len() > 2 { a.str(2)?.text() } else { "".into() };
    packed(cx, write_pkcs12(Some(&key), &certificates, &password))
}

fn truststore<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let certificates = certificates(&a.str(0)?.text(), true)?;
    let password = if a.all().len() > 1 { a.str(1)?.text() } else { "".into() };
    packed(cx, write_pkcs12(None, &certificates, &password))
}

fn packed<'a>(cx: &mut Context<'a>, file: Option<Vec<u8>>) -> Answer<'a> {
    match file {
        Some(file) => cx.string(base64_encode(&file)),
        None => failed("the PKCS#12 file can't be made"),
    }
}

fn jwk<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Result<Rc<Map<'a>>, Fault> {
    match json_parse(cx, a.str(0)?)? {
        Some(Value::Map(map)) => Ok(map),
        _ => failed("expected a JWK: an object in JSON"),
    }
}

/// `rsaDecrypt scheme hash ciphertext key`
fn rsa_decrypt<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let sealed = a.str(2)?;
    match &**a.str(0)? {
        b"None" => return Ok(Value::Str(sealed.clone())),
        b"RSA-OAEP" => {}
        _ => return failed("the scheme isn't supported; expected \"RSA-OAEP\" or \"None\""),
    }
    let key = first_block(&a.str(3)?.text()).and_then(|(der, _)| PrivateKey::from_der(&der));
    let Some(PrivateKey::Rsa(key)) = key else {
        return failed("expected an RSA private key as PEM");
    };
    let mut rng = generator()?;
    let opened = match &**a.str(1)? {
        b"SHA1" => key.oaep_decrypt_with_rng::<sha1::Sha1, _>(&mut rng, sealed),
        b"SHA512" => key.oaep_decrypt_with_rng::<sha2::Sha512, _>(&mut rng, sealed),
        _ => key.oaep_decrypt_with_rng::<sha2::Sha256, _>(&mut rng, sealed),
    };
    match opened {
        Ok(plain) => Ok(Value::Str(plain.into())),
        Err(_) => failed("the ciphertext can't be opened with this key and hash"),
    }
}
