set -e
openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.crt -days 20000 -subj "/C=DE/O=Example/CN=root" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout inter.key -out inter.csr -subj "/O=Example/CN=intermediate" 2>/dev/null
printf "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" > ca.ext
openssl x509 -req -in inter.csr -CA root.crt -CAkey root.key -days 20000 -extfile ca.ext -out inter.crt -set_serial 2 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj "/CN=leaf.example.com" 2>/dev/null
printf "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=DNS:leaf.example.com,DNS:*.example.com,IP:10.0.0.1,IP:2001:db8::1,email:a@example.com,URI:spiffe://example.com/x?y=1\n" > leaf.ext
openssl x509 -req -in leaf.csr -CA inter.crt -CAkey inter.key -days 20000 -extfile leaf.ext -out leaf.crt -set_serial 3 2>/dev/null
openssl rsa -in leaf.key -traditional -out leaf-pkcs1.key 2>/dev/null
for c in P-256 P-384 P-521; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$c -out ec-$c.key 2>/dev/null; openssl ec -in ec-$c.key -out sec1-$c.key 2>/dev/null; openssl pkey -in ec-$c.key -pubout -out ec-$c.pub; done
openssl genpkey -algorithm ED25519 -out ed25519.key
openssl pkey -in ed25519.key -pubout -out ed25519.pub
openssl req -x509 -key ec-P-256.key -out ec.crt -days 20000 -subj "/CN=ec" 2>/dev/null
openssl req -x509 -key ed25519.key -out ed.crt -days 20000 -subj "/CN=ed" 2>/dev/null
openssl pkcs12 -export -inkey leaf.key -in leaf.crt -certfile <(cat root.crt inter.crt) -passout pass:1234 -out modern.p12
openssl pkcs12 -export -inkey leaf.key -in leaf.crt -certfile <(cat root.crt inter.crt) -passout pass: -out nopass.p12
openssl pkcs12 -export -legacy -inkey leaf.key -in leaf.crt -passout pass:1234 -out legacy.p12
openssl pkcs12 -export -legacy -inkey leaf.key -in leaf.crt -passout pass: -out legacy-nopass.p12
openssl pkcs12 -export -keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha512 -inkey ec-P-256.key -in ec.crt -passout pass:pässwörd -out ec.p12
openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe NONE -inkey ed25519.key -in ed.crt -passout pass:1234 -out ed.p12
openssl pkcs12 -export -nokeys -in root.crt -passout pass:1234 -out nokey.p12
for h in sha1 sha256 sha512; do printf "sealed with $h" | openssl pkeyutl -encrypt -pubin -inkey <(openssl pkey -in leaf.key -pubout) -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:$h -pkeyopt rsa_mgf1_md:$h -out oaep-$h.bin; done
cat inter.crt leaf.crt root.crt > chain-mixed.pem
