internal import COpenSSL
import Crypto
import Testing

private let authority = try! CertificateAuthority(name: "Test authority")

@Test func chainVerifiesForTLSServers() throws {
  let issued = try authority.issue(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1", "::1"])
  #expect(verify(issued.certificatePEM, trusting: authority.certificatePEM) == X509_V_OK)
  let other = try CertificateAuthority(name: "Test authority")
  #expect(verify(issued.certificatePEM, trusting: other.certificatePEM) != X509_V_OK)
}

@Test func issuedCertificatesAreNoAuthorities() throws {
  let issued = try authority.issue(dnsNames: ["a.example"])
  withCertificate(authority.certificatePEM) { #expect(X509_check_ca($0) == 1) }
  withCertificate(issued.certificatePEM) {
    #expect(X509_check_ca($0) == 0)
    #expect(X509_get_key_usage($0) == UInt32(KU_DIGITAL_SIGNATURE))
    #expect(X509_get_extended_key_usage($0) == UInt32(XKU_SSL_SERVER))
  }
}

@Test func namesAreThoseAskedFor() throws {
  let issued = try authority.issue(
    dnsNames: ["localhost", "*.data.example"], ipAddresses: ["127.0.0.1", "::1"])
  withCertificate(issued.certificatePEM) { certificate in
    for (name, good) in [
      ("localhost", true), ("LOCALHOST", true), ("m-1.data.example", true),
      ("data.example", false), ("a.b.data.example", false), ("example", false),
    ] {
      #expect((X509_check_host(certificate, name, 0, 0, nil) == 1) == good, "\(name)")
    }
    for (address, good) in [("127.0.0.1", true), ("::1", true), ("127.0.0.2", false)] {
      #expect((X509_check_ip_asc(certificate, address, 0) == 1) == good, "\(address)")
    }
  }
}

@Test func keyBelongsToTheCertificate() throws {
  let issued = try authority.issue(dnsNames: ["localhost"])
  let memory = BIO_new_mem_buf(issued.privateKeyPEM, -1)
  defer { BIO_free(memory) }
  let key = try #require(PEM_read_bio_PrivateKey(memory, nil, nil, nil))
  defer { EVP_PKEY_free(key) }
  withCertificate(issued.certificatePEM) { #expect(X509_check_private_key($0, key) == 1) }
  #expect(!"\(issued) \(String(reflecting: issued))".contains("PRIVATE"))
}

@Test func serialNumbersAndDays() throws {
  let first = try authority.issue(dnsNames: ["localhost"], days: 10)
  let second = try authority.issue(dnsNames: ["localhost"])
  withCertificate(first.certificatePEM) { first in
    withCertificate(second.certificatePEM) { second in
      #expect(ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)) != 0)
    }
    var days: Int32 = 0
    var seconds: Int32 = 0
    ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(first), X509_get0_notAfter(first))
    #expect(Int(days) * 86_400 + Int(seconds) == 10 * 86_400 + 3600)
    #expect(X509_cmp_current_time(X509_get0_notBefore(first)) < 0)
  }
}

@Test(arguments: [
  "", "a,DNS:evil.example", "a b", "-a", "a-", "a..b", "*", "a.*.b", "é.example", "a_b",
  String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "a",
])
func refusesDNSName(name: String) {
  #expect(throws: CryptoError.invalidName(name)) { try authority.issue(dnsNames: [name]) }
}

@Test(arguments: ["", "127.0.0", "127.0.0.1,DNS:evil.example", "localhost", "1::2::3"])
func refusesAddress(address: String) {
  #expect(throws: CryptoError.invalidName(address)) {
    try authority.issue(dnsNames: [], ipAddresses: [address])
  }
}

@Test func limitsOfCertificates() throws {
  let names = (0..<65).map { "n\($0).example" }
  _ = try authority.issue(dnsNames: Array(names.prefix(64)), days: 3650)
  for names in [[], names] {
    #expect(throws: CryptoError.wrongLength("names")) { try authority.issue(dnsNames: names) }
  }
  for days in [0, 3651] {
    #expect(throws: CryptoError.wrongLength("days")) {
      try authority.issue(dnsNames: ["localhost"], days: days)
    }
    #expect(throws: CryptoError.wrongLength("days")) {
      try CertificateAuthority(name: "x", days: days)
    }
  }
  #expect(throws: CryptoError.wrongLength("name")) {
    try CertificateAuthority(name: String(repeating: "x", count: 65))
  }
}

private func withCertificate(_ pem: String, _ body: (OpaquePointer) -> Void) {
  let memory = BIO_new_mem_buf(pem, -1)
  defer { BIO_free(memory) }
  guard let certificate = PEM_read_bio_X509(memory, nil, nil, nil) else {
    Issue.record("not a certificate")
    return
  }
  defer { X509_free(certificate) }
  body(certificate)
}

/// X509_verify_cert with the strict reading of RFC 5280, for the purpose of a TLS server.
private func verify(_ pem: String, trusting root: String) -> Int32 {
  let store = X509_STORE_new()
  let context = X509_STORE_CTX_new()
  defer {
    X509_STORE_CTX_free(context)
    X509_STORE_free(store)
  }
  var result = X509_V_ERR_UNSPECIFIED
  withCertificate(root) { root in
    withCertificate(pem) { certificate in
      X509_STORE_add_cert(store, root)
      X509_STORE_CTX_init(context, store, certificate, nil)
      X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER)
      X509_STORE_CTX_set_flags(context, UInt(X509_V_FLAG_X509_STRICT))
      result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context)
    }
  }
  return result
}
