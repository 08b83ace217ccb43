package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

func init() {
	for name, function := range map[string]any{
		"pkcs12key":                 func(file string) (string, error) { return p12key("", file) },
		"pkcs12keyPass":             p12key,
		"pkcs12cert":                func(file string) (string, error) { return p12cert("", file) },
		"pkcs12certPass":            p12cert,
		"pemToPkcs12":               func(cert, key string) (string, error) { return p12make(cert, key, "", false) },
		"pemToPkcs12Pass":           func(cert, key, pass string) (string, error) { return p12make(cert, key, pass, false) },
		"fullPemToPkcs12":           func(cert, key string) (string, error) { return p12make(cert, key, "", true) },
		"fullPemToPkcs12Pass":       func(cert, key, pass string) (string, error) { return p12make(cert, key, pass, true) },
		"pemTruststoreToPKCS12":     func(certs string) (string, error) { return p12trust(certs, "") },
		"pemTruststoreToPKCS12Pass": p12trust,
		"filterPEM":                 filterPEM,
		"filterCertChain":           filterChain,
		"certSANs":                  sans,
		"jwkPublicKeyPem":           func(text string) (string, error) { return jwk(text, false) },
		"jwkPrivateKeyPem":          func(text string) (string, error) { return jwk(text, true) },
		"rsaDecrypt":                rsaDecrypt,
	} {
		own[name] = function
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func p12key(pass, file string) (string, error) {
	key, _, _, err := pkcs12.DecodeChain([]byte(file), pass)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return block("PRIVATE KEY", der), err
}

func p12cert(pass, file string) (string, error) {
	_, leaf, others, err := pkcs12.DecodeChain([]byte(file), pass)
	if err != nil {
		return "", err
	}
	all := append([]*x509.Certificate{leaf}, others...)
	if sorted, err := chain(all); err == nil {
		all = sorted
	}
	return blocks(all), nil
}

func blocks(certs []*x509.Certificate) string {
	out := ""
	for _, cert := range certs {
		out += block("CERTIFICATE", cert.Raw)
	}
	return out
}

func anyKey(text string) (any, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		return nil, errors.New("no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(b.Bytes); err == nil {
		return key, nil
	}
	return x509.ParseECPrivateKey(b.Bytes)
}

func certs(text string) (all []*x509.Certificate, err error) {
	rest := []byte(text)
	for {
		var b *pem.Block
		b, rest = pem.Decode(rest)
		if b == nil {
			return all, nil
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
}

func p12make(cert, key, pass string, full bool) (string, error) {
	all, err := certs(cert)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errors.New("no certificate")
	}
	private, err := anyKey(key)
	if err != nil {
		return "", err
	}
	others := all[1:]
	if !full {
		others = nil
	}
	out, err := pkcs12.Modern.Encode(private, all[0], others, pass)
	return base64.StdEncoding.EncodeToString(out), err
}

func p12trust(text, pass string) (string, error) {
	all, err := certs(text)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", errors.New("no certificate")
	}
	out, err := pkcs12.Modern.EncodeTrustStore(all, pass)
	return base64.StdEncoding.EncodeToString(out), err
}

func filterPEM(kind, text string) (string, error) {
	if at := strings.Index(text, "-----BEGIN"); at >= 0 {
		text = text[at:]
	}
	rest, out := []byte(text), ""
	for {
		b, after := pem.Decode(rest)
		rest = after
		if b == nil {
			break
		}
		if strings.EqualFold(b.Type, kind) {
			out += string(pem.EncodeToMemory(b))
		}
	}
	if out == "" && len(rest) > 0 {
		return "", errors.New("junk")
	}
	return out, nil
}

func chain(all []*x509.Certificate) ([]*x509.Certificate, error) {
	parent := map[int]int{}
	isParent := map[int]bool{}
	for i, cert := range all {
		for j, other := range all {
			if i != j && bytes.Equal(cert.AuthorityKeyId, other.SubjectKeyId) {
				parent[i], isParent[j] = j, true
				break
			}
		}
	}
	leaf := -1
	for i := range all {
		if !isParent[i] {
			if leaf >= 0 {
				return nil, errors.New("several leaves")
			}
			leaf = i
		}
	}
	if leaf < 0 {
		return nil, errors.New("no leaf")
	}
	var out []*x509.Certificate
	for i, ok := leaf, true; ok; i, ok = parent[i] {
		if len(out) == len(all) {
			return nil, errors.New("cycle")
		}
		out = append(out, all[i])
		if _, more := parent[i]; !more {
			break
		}
	}
	return out, nil
}

func filterChain(part, text string) (string, error) {
	all, err := certs(text)
	if err != nil {
		return "", err
	}
	all, err = chain(all)
	if err != nil {
		return "", err
	}
	root := func(c *x509.Certificate) bool {
		return c.AuthorityKeyId == nil || bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId)
	}
	var out []*x509.Certificate
	switch part {
	case "leaf":
		if !root(all[0]) {
			out = all[:1]
		}
	case "intermediate":
		for _, c := range all[1:] {
			if root(c) {
				break
			}
			out = append(out, c)
		}
	case "root":
		if last := all[len(all)-1]; root(last) {
			out = append(out, last)
		}
	}
	return blocks(out), nil
}

func sans(text string) ([]string, error) {
	all, err := certs(text)
	if err != nil || len(all) == 0 {
		return nil, fmt.Errorf("no certificate: %v", err)
	}
	out := append([]string{}, all[0].DNSNames...)
	for _, ip := range all[0].IPAddresses {
		out = append(out, ip.String())
	}
	out = append(out, all[0].EmailAddresses...)
	for _, uri := range all[0].URIs {
		out = append(out, uri.String())
	}
	return out, nil
}

func rsaDecrypt(scheme, name, sealed, key string) (string, error) {
	if scheme == "None" {
		return sealed, nil
	}
	if scheme != "RSA-OAEP" {
		return "", errors.New("scheme")
	}
	private, err := anyKey(key)
	if err != nil {
		return "", err
	}
	rsaKey, ok := private.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("no RSA key")
	}
	var h hash.Hash = sha256.New()
	switch name {
	case "SHA1":
		h = sha1.New()
	case "SHA512":
		h = sha512.New()
	}
	out, err := rsa.DecryptOAEP(h, nil, rsaKey, []byte(sealed), nil)
	return string(out), err
}

var raw = base64.RawURLEncoding

// toJWK writes a key as a JWK.
func toJWK(key any, private bool) string {
	b := func(n *big.Int) string { return raw.EncodeToString(n.Bytes()) }
	out := map[string]string{}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		out["kty"], out["n"], out["e"] = "RSA", b(k.N), b(big.NewInt(int64(k.E)))
		if private {
			out["d"], out["p"], out["q"] = b(k.D), b(k.Primes[0]), b(k.Primes[1])
			out["dp"], out["dq"], out["qi"] = b(k.Precomputed.Dp), b(k.Precomputed.Dq), b(k.Precomputed.Qinv)
		}
	case *ecdsa.PrivateKey:
		size := (k.Params().BitSize + 7) / 8
		f := func(n *big.Int) string { return raw.EncodeToString(n.FillBytes(make([]byte, size))) }
		out["kty"], out["crv"], out["x"], out["y"] = "EC", k.Params().Name, f(k.X), f(k.Y)
		if private {
			out["d"] = f(k.D)
		}
	case ed25519.PrivateKey:
		out["kty"], out["crv"], out["x"] = "OKP", "Ed25519", raw.EncodeToString(k.Public().(ed25519.PublicKey))
		if private {
			out["d"] = raw.EncodeToString(k.Seed())
		}
	}
	text, _ := json.Marshal(out)
	return string(text)
}

func jwk(text string, private bool) (string, error) {
	var in map[string]string
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return "", err
	}
	if _, has := in["d"]; has != private {
		return "", errors.New("wrong kind of key")
	}
	get := func(name string) *big.Int {
		bytes, _ := raw.DecodeString(in[name])
		return new(big.Int).SetBytes(bytes)
	}
	var public, secret any
	switch in["kty"] {
	case "RSA":
		pub := rsa.PublicKey{N: get("n"), E: int(get("e").Int64())}
		public, secret = &pub, &rsa.PrivateKey{PublicKey: pub, D: get("d"), Primes: []*big.Int{get("p"), get("q")}}
	case "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[in["crv"]]
		if curve == nil {
			return "", errors.New("curve")
		}
		pub := ecdsa.PublicKey{Curve: curve, X: get("x"), Y: get("y")}
		public, secret = &pub, &ecdsa.PrivateKey{PublicKey: pub, D: get("d")}
	case "OKP":
		x, _ := raw.DecodeString(in["x"])
		if in["crv"] == "X25519" {
			key, err := ecdh.X25519().NewPublicKey(x)
			if err != nil {
				return "", err
			}
			public = key
			break
		}
		seed, _ := raw.DecodeString(in["d"])
		public = ed25519.PublicKey(x)
		if private {
			secret = ed25519.NewKeyFromSeed(seed)
		}
	default:
		return "", errors.New("kty")
	}
	if private {
		der, err := x509.MarshalPKCS8PrivateKey(secret)
		return block("PRIVATE KEY", der), err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	return block("PUBLIC KEY", der), err
}
