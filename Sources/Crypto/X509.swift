// A certificate authority that lives in memory, for a server that must prove itself to clients
// that were told to trust it (LocalGlobus). It is no public authority: no revocation, one level.
//
// Names are checked before they reach libcrypto's extension syntax, where a comma means more.

internal import COpenSSL

/// A certificate and the key that belongs to it, in PEM.
public struct ServerIdentity: Sendable, CustomStringConvertible, CustomReflectable {
  /// The certificate.
  public let certificatePEM: String
  /// The unencrypted PKCS #8 key.
  public let privateKeyPEM: String

  public var description: String { "<server identity>" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// An authority with a P-256 key that is never written out.
///
/// Immutable after `init`; libcrypto's objects are only read, hence `@unchecked Sendable`.
public final class CertificateAuthority: @unchecked Sendable {
  /// The authority's own certificate, for clients to trust.
  public let certificatePEM: String

  private let certificate: OpaquePointer
  private let key: OpaquePointer

  /// A new authority that is valid from an hour ago for `days` (1 to 3650).
  public init(name: String, days: Int = 365) throws(CryptoError) {
    let key = try makeKey()
    do throws(CryptoError) {
      let certificate = try makeCertificate(
        CertificateRequest(name: name, days: days, key: key), issuer: nil)
      self.certificate = certificate
      self.key = key
      certificatePEM = try pem { PEM_write_bio_X509($0, certificate) }
    } catch {
      EVP_PKEY_free(key)
      throw error
    }
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  /// A key and certificate for a TLS server with these DNS names (a leading `*.` is allowed) and
  /// IP addresses, 1 to 64 in all, valid from an hour ago for `days` (1 to 3650).
  public func issue(
    dnsNames: [String], ipAddresses: [String] = [], days: Int = 90
  ) throws(CryptoError) -> ServerIdentity {
    let names = try subjectAlternativeName(dnsNames: dnsNames, ipAddresses: ipAddresses)
    let serverKey = try makeKey()
    defer { EVP_PKEY_free(serverKey) }
    var request = CertificateRequest(name: "", days: days, key: serverKey)
    request.alternativeNames = names
    let issued = try makeCertificate(request, issuer: (certificate, key))
    defer { X509_free(issued) }
    return ServerIdentity(
      certificatePEM: try pem { PEM_write_bio_X509($0, issued) },
      privateKeyPEM: try pem { PEM_write_bio_PKCS8PrivateKey($0, serverKey, nil, nil, 0, nil, nil) }
    )
  }
}

/// What a certificate says about its holder; without alternative names it is an authority's.
private struct CertificateRequest {
  var name: String
  var days: Int
  var key: OpaquePointer
  var alternativeNames: String?

  /// RFC 5280 section 4.2.1.
  var extensions: [(Int32, String)] {
    guard let alternativeNames else {
      return [
        (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
        (NID_key_usage, "critical,keyCertSign,cRLSign"),
        (NID_subject_key_identifier, "hash"),
      ]
    }
    return [
      (NID_basic_constraints, "critical,CA:FALSE"),
      (NID_key_usage, "critical,digitalSignature"),
      (NID_ext_key_usage, "serverAuth"),
      (NID_subject_key_identifier, "hash"),
      (NID_authority_key_identifier, "keyid:always"),
      // The subject is empty, so the names that stand in for it must be understood.
      (NID_subject_alt_name, "critical," + alternativeNames),
    ]
  }
}

private func makeKey() throws(CryptoError) -> OpaquePointer {
  guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else {
    throw .library("EVP_PKEY_CTX_new_id")
  }
  defer { EVP_PKEY_CTX_free(context) }
  var key: OpaquePointer?
  guard EVP_PKEY_keygen_init(context) == 1,
    EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
    EVP_PKEY_keygen(context, &key) == 1, let key
  else { throw .library("EVP_PKEY_keygen") }
  return key
}

private func makeCertificate(
  _ request: CertificateRequest, issuer: (certificate: OpaquePointer, key: OpaquePointer)?
) throws(CryptoError) -> OpaquePointer {
  guard Limits.certificateDays ~= request.days else { throw .wrongLength("days") }
  guard let certificate = X509_new() else { throw .library("X509_new") }
  do throws(CryptoError) {
    let seconds = request.days * 86_400
    guard X509_set_version(certificate, Int(X509_VERSION_3)) == 1,
      X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nil,
      X509_gmtime_adj(X509_getm_notAfter(certificate), seconds) != nil,
      X509_set_pubkey(certificate, request.key) == 1
    else { throw .library("X509_set_version") }
    try setSerialNumber(of: certificate)
    try setName(request.name, of: certificate)
    let parent = issuer?.certificate ?? certificate
    guard X509_set_issuer_name(certificate, X509_get_subject_name(parent)) == 1 else {
      throw .library("X509_set_issuer_name")
    }
    try add(request.extensions, to: certificate, issuer: parent)
    guard X509_sign(certificate, issuer?.key ?? request.key, Library.sha256) > 0 else {
      throw .library("X509_sign")
    }
    return certificate
  } catch {
    X509_free(certificate)
    throw error
  }
}

/// 127 random bits: positive and at most 20 octets (RFC 5280 section 4.1.2.2).
private func setSerialNumber(of certificate: OpaquePointer) throws(CryptoError) {
  var bytes = Random.bytes(16)
  bytes[0] = bytes[0] & 0x7F | 0x40
  guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else {
    throw .library("BN_bin2bn")
  }
  defer { BN_free(number) }
  guard BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil else {
    throw .library("BN_to_ASN1_INTEGER")
  }
}

private func setName(_ name: String, of certificate: OpaquePointer) throws(CryptoError) {
  if name.isEmpty { return }
  // RFC 5280 appendix A: ub-common-name is 64 characters.
  guard name.unicodeScalars.count <= 64 else { throw .wrongLength("name") }
  let added = X509_NAME_add_entry_by_txt(
    X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, Array(name.utf8),
    Int32(name.utf8.count), -1, 0)
  guard added == 1 else { throw .library("X509_NAME_add_entry_by_txt") }
}

private func add(
  _ extensions: [(Int32, String)], to certificate: OpaquePointer, issuer: OpaquePointer
) throws(CryptoError) {
  var context = X509V3_CTX()
  X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
  for (identifier, value) in extensions {
    guard let made = X509V3_EXT_conf_nid(nil, &context, identifier, value) else {
      ERR_clear_error()
      throw .invalidName(value)
    }
    defer { X509_EXTENSION_free(made) }
    guard X509_add_ext(certificate, made, -1) == 1 else { throw .library("X509_add_ext") }
  }
}

private func subjectAlternativeName(
  dnsNames: [String], ipAddresses: [String]
) throws(CryptoError) -> String {
  guard Limits.certificateNames ~= dnsNames.count + ipAddresses.count else {
    throw .wrongLength("names")
  }
  for name in dnsNames where !isHostName(name) { throw .invalidName(name) }
  for address in ipAddresses {
    guard let octets = a2i_IPADDRESS(address) else {
      ERR_clear_error()
      throw .invalidName(address)
    }
    ASN1_OCTET_STRING_free(octets)
  }
  return (dnsNames.map { "DNS:" + $0 } + ipAddresses.map { "IP:" + $0 }).joined(separator: ",")
}

/// Labels of letters, digits and inner hyphens (RFC 1123 section 2.1), after an optional `*.`.
private func isHostName(_ name: String) -> Bool {
  guard name.utf8.count <= Limits.hostNameBytes else { return false }
  let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  return labels.enumerated().allSatisfy { index, label in
    let wildcard = index == 0 && labels.count > 1 && label.elementsEqual("*".utf8)
    return wildcard
      || 1...63 ~= label.count
        && label.allSatisfy { Base62.isDigit($0) || $0 == UInt8(ascii: "-") }
        && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
  }
}

private func pem(_ write: (OpaquePointer) -> Int32) throws(CryptoError) -> String {
  guard let memory = BIO_new(BIO_s_mem()) else { throw .library("BIO_new") }
  defer { BIO_free(memory) }
  guard write(memory) == 1 else { throw .library("PEM_write_bio") }
  let count = BIO_ctrl_pending(memory)
  return String(unsafeUninitializedCapacity: count) { buffer in
    max(0, Int(BIO_read(memory, buffer.baseAddress, Int32(count))))
  }
}
