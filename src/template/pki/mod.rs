//! Keys, certificates and PKCS#12.
