//! Hashes, passwords and ciphers.

use aes::Aes256;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding, block_padding::Pkcs7};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::super::codec::{base64_decode, base64_encode};
use super::super::context::{Answer, Args, Context, Param::String as Text, Param::Uint32};
use super::super::error::{Fault, failed};
use super::super::value::Value;
use super::Function;
use super::random::fill;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sha1sum", &[Text], |cx, a| cx.string(hex(&Sha1::digest(&**a.str(0)?)))),
    Function::new("sha256sum", &[Text], |cx, a| cx.string(hex(&Sha256::digest(&**a.str(0)?)))),
    Function::new("sha512sum", &[Text], |cx, a| cx.string(hex(&Sha512::digest(&**a.str(0)?)))),
    Function::new("adler32sum", &[Text], |cx, a| cx.string(adler32(a.str(0)?).to_string())),
    Function::new("bcrypt", &[Text], |cx, a| {
        let hash = bcrypt_hash(a.str(0)?)?;
        cx.string(hash)
    })
    .cost(BCRYPT)
    .varies(),
    Function::new("htpasswd", &[Text, Text], htpasswd).cost(BCRYPT).varies(),
    Function::new("derivePassword", &[Uint32, Text, Text, Text, Text], derive_password).cost(SCRYPT),
    Function::new("encryptAES", &[Text, Text], encrypt).varies(),
    Function::new("decryptAES", &[Text, Text], decrypt),
];

/// Some 60 ms each: no more than ten in a rendering, by default.
const BCRYPT: u64 = 100_000;
const SCRYPT: u64 = 200_000;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    // So many sums fit before one must be reduced.
    for part in bytes.chunks(5552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    b << 16 | a
}

/// At bcrypt's default cost. A password of more than 72 bytes gives Go's text of the error, as in Sprig.
fn bcrypt_hash(password: &[u8]) -> Result<String, Fault> {
    if password.len() > 72 {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned());
    }
    let mut salt = [0; 16];
    fill(&mut salt)?;
    match bcrypt::hash_with_salt(password, 10, salt) {
        Ok(parts) => Ok(parts.format_for_version(bcrypt::Version::TwoA)),
        Err(_) => failed("the password can't be hashed"),
    }
}

fn htpasswd<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let user = a.str(0)?;
    if user.contains(&b':') {
        return cx.string([b"invalid username: ", &**user].concat());
    }
    let hash = bcrypt_hash(a.str(1)?)?;
    cx.string([user, &b":"[..], hash.as_bytes()].concat())
}

/// The patterns of the Master Password algorithm, by type; each letter stands for a class of characters.
const PATTERNS: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

fn class(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// `derivePassword counter type password user site`
fn derive_password<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    const NAME: &[u8] = b"com.lyndir.masterpassword";
    let counter = u32::try_from(a.uint(0)?).unwrap_or(0);
    let (kind, password, user, site) = (a.str(1)?, a.str(2)?, a.str(3)?, a.str(4)?);
    let Some((_, patterns)) = PATTERNS.iter().find(|(name, _)| name.as_bytes() == &**kind) else {
        return cx.string([b"cannot find password template ", &**kind].concat());
    };
    let sized = |text: &[u8]| [&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes()[..], text].concat();
    let mut key = [0; 64];
    let params = scrypt::Params::new(15, 8, 2);
    let derived =
        params.ok().and_then(|params| scrypt::scrypt(password, &[NAME, &sized(user)].concat(), &params, &mut key).ok());
    if derived.is_none() {
        return failed("the password can't be derived");
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
        return failed("the password can't be derived");
    };
    mac.update(&[NAME, &sized(site), &counter.to_be_bytes()].concat());
    let seed = mac.finalize().into_bytes();
    let pick = |from: usize, n: usize| usize::from(seed.get(n).copied().unwrap_or(0)) % from.max(1);
    let pattern = patterns.get(pick(patterns.len(), 0)).copied().unwrap_or_default();
    let characters = pattern
        .bytes()
        .enumerate()
        .filter_map(|(n, letter)| class(letter).get(pick(class(letter).len(), n + 1)).copied());
    cx.string(characters.collect::<Vec<u8>>())
}

/// The password's first 32 bytes, filled with zeros: Sprig's idea of a key.
fn aes_key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password) {
        *slot = *byte;
    }
    key
}

/// AES-256-CBC with a random IV in front, as base64.
fn encrypt<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (password, text) = (a.str(0)?, a.str(1)?);
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    cx.meter.memory(text.len() * 3)?;
    let mut iv = [0; 16];
    fill(&mut iv)?;
    let cipher = cbc::Encryptor::<Aes256>::new(&aes_key(password).into(), &iv.into());
    let sealed = cipher.encrypt_padded_vec::<Pkcs7>(text);
    cx.string(base64_encode(&[&iv[..], &sealed].concat()))
}

fn decrypt<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let (password, text) = (a.str(0)?, a.str(1)?);
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    cx.meter.memory(text.len())?;
    let Ok(sealed) = base64_decode(text) else {
        return failed("the text is no base64");
    };
    let bad = "the text is no AES-CBC of at least one block";
    let Some((iv, body)) = sealed.split_first_chunk::<16>() else {
        return failed(bad);
    };
    let cipher = cbc::Decryptor::<Aes256>::new(&aes_key(password).into(), &(*iv).into());
    let Ok(mut plain) = cipher.decrypt_padded_vec::<NoPadding>(body) else {
        return failed(bad);
    };
    // Sprig looks at the last byte only; so does this, lest a text that it opens stay shut.
    let padding = usize::from(plain.last().copied().unwrap_or(255));
    match plain.len().checked_sub(padding) {
        Some(length) => plain.truncate(length),
        None => return failed("the text was made with another password"),
    }
    cx.string(plain)
}
