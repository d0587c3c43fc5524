// Authorization: where a request carries its access key id and signature, parsed strictly.
//
// A request names its credential in one place only: the header or the query, never both. What is
// parsed here is not yet verified (`Signature`). Text is looked at as bytes: every request comes
// by here, and finding `Character`s in a long header costs more than all the cryptography.

import Crypto
import struct Reactor.RequestHeaders

enum Authorization: Sendable {
  case anonymous
  case version4(SignatureV4)
  case version2(SignatureV2)

  /// The parsed form. `headers` are all of the request's, in order. Throws the S3 error that fits
  /// the place: AuthorizationHeaderMalformed or AuthorizationQueryParametersError.
  init(headers: RequestHeaders, query: Query) throws(S3Error) {
    var ways = 0
    var hasToken = query.parameters.contains {
      isHeader($0.name, "x-amz-security-token") && !$0.value.isEmpty
    }
    headers.visit { name, value in
      if isHeader(name, "authorization") { ways += 1 }
      if isHeader(name, "x-amz-security-token"), !value.isEmpty { hasToken = true }
    }
    let isQueryV4 = query.parameters.contains {
      ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].contains($0.name)
    }
    let isQueryV2 = query.contains("AWSAccessKeyId") || query.contains("Signature")
    ways += (isQueryV4 ? 1 : 0) + (isQueryV2 ? 1 : 0)
    guard ways <= 1 else {
      throw S3Error(
        .invalidRequest, "Only one way to sign is allowed: one Authorization header or one query.")
    }
    guard !hasToken else { throw S3Error(.invalidToken) }
    let inHeader = try headers.withValue(of: "authorization") { value throws(S3Error) in
      try Self.header(value, headers)
    }
    if let inHeader {
      self = inHeader
    } else if isQueryV4 {
      self = .version4(try SignatureV4(query: query))
    } else if isQueryV2 {
      self = .version2(try SignatureV2(query: query))
    } else {
      self = .anonymous
    }
  }

  private static func header(
    _ text: Span<UInt8>, _ headers: RequestHeaders
  ) throws(S3Error) -> Authorization {
    guard text.count <= Limits.authorizationBytes else {
      throw S3Error(.authorizationHeaderMalformed, "The Authorization header is too long.")
    }
    guard let space = text.index(of: UInt8(ascii: " ")) else {
      throw S3Error(.authorizationHeaderMalformed)
    }
    let rest = space + 1..<text.count
    switch text.string(0..<space) {
    case SignatureV4.algorithm:
      return .version4(try SignatureV4(header: text.extracting(rest), headers: headers))
    case "AWS":
      return .version2(try SignatureV2(header: text.string(rest)[...]))
    case "AWS4-ECDSA-P256-SHA256":
      throw S3Error(
        .notImplemented, "Signature version 4A is not implemented: sign with version 4.")
    default:
      throw S3Error(
        .authorizationHeaderMalformed,
        "The Authorization header's scheme is not known here: sign with \(SignatureV4.algorithm).")
    }
  }
}

/// A signature of version 4, in the header or in the query of a presigned URL.
struct SignatureV4: Sendable {
  static let algorithm = "AWS4-HMAC-SHA256"

  struct Scope: Sendable {
    /// yyyymmdd
    let date: String
    /// Any; some clients send none.
    let region: String
  }

  let accessKeyID: String
  let scope: Scope
  /// Lower case, in the client's order.
  let signedHeaders: [String]
  /// 32 bytes.
  let signature: [UInt8]
  /// As signed: yyyymmddThhmmssZ, and in Unix seconds.
  let timestamp: String
  let time: Int64
  /// Seconds of validity; nil: in the header, not presigned.
  let expires: Int64?

  /// `text` is what follows the algorithm's name.
  fileprivate init(
    header text: Span<UInt8>, headers: RequestHeaders
  ) throws(S3Error) {
    var fields = HeaderFields()
    var start = 0
    while true {
      let end = text.index(of: UInt8(ascii: ","), from: start) ?? text.count
      while start < end, text[start] == UInt8(ascii: " ") { start += 1 }
      try fields.add(start..<end, of: text)
      if end == text.count { break }
      start = end + 1
    }
    guard let credential = fields.credential, let signed = fields.signedHeaders,
      let signature = fields.signature
    else { throw HeaderFields.incomplete }
    let time: SignatureTime?
    if let date = headers["x-amz-date"] {
      time = SignatureTime(basic: date)
    } else if let date = headers["date"] {
      time = SignatureTime(date)
    } else {
      throw S3Error(
        .authorizationHeaderMalformed, "A signed request must have an x-amz-date or Date header.")
    }
    try self.init(
      credential: text.extracting(credential), signed: text.extracting(signed),
      signature: text.extracting(signature), time: time, expires: nil,
      code: .authorizationHeaderMalformed)
  }

  fileprivate init(query: Query) throws(S3Error) {
    let code = S3Error.Code.authorizationQueryParametersError
    guard query["X-Amz-Algorithm"] == Self.algorithm else {
      throw S3Error(code, "X-Amz-Algorithm must be \(Self.algorithm).")
    }
    guard let credential = query["X-Amz-Credential"], let signed = query["X-Amz-SignedHeaders"],
      let signature = query["X-Amz-Signature"], let date = query["X-Amz-Date"],
      let lifetime = query["X-Amz-Expires"]
    else {
      throw S3Error(
        code,
        "A presigned URL must have X-Amz-Algorithm, -Credential, -Date, -Expires, -SignedHeaders "
          + "and -Signature.")
    }
    guard lifetime.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
      let expires = Int64(lifetime), 1...Limits.presignedSeconds ~= expires
    else {
      throw S3Error(code, "X-Amz-Expires must be from 1 to \(Limits.presignedSeconds) seconds.")
    }
    try self.init(
      credential: credential.utf8.span, signed: signed.utf8.span, signature: signature.utf8.span,
      time: SignatureTime(basic: date), expires: expires, code: code)
  }

  private init(
    credential: Span<UInt8>, signed: Span<UInt8>, signature: Span<UInt8>,
    time: SignatureTime?, expires: Int64?, code: S3Error.Code
  ) throws(S3Error) {
    // From the right: an access key id may hold a "/".
    let slash = UInt8(ascii: "/")
    guard let fourth = credential.lastIndex(of: slash, before: credential.count),
      let third = credential.lastIndex(of: slash, before: fourth),
      let second = credential.lastIndex(of: slash, before: third),
      let first = credential.lastIndex(of: slash, before: second),
      credential.extracting((fourth + 1)...).equals("aws4_request"),
      credential.extracting(third + 1..<fourth).equals("s3")
    else {
      throw S3Error(code, "The Credential must be <access key id>/<date>/<region>/s3/aws4_request.")
    }
    accessKeyID = credential.string(0..<first)
    scope = Scope(
      date: credential.string(first + 1..<second), region: credential.string(second + 1..<third))
    guard !accessKeyID.isEmpty else { throw S3Error(code, "The access key id is empty.") }
    guard let time else {
      throw S3Error(
        code,
        "The request's time must be of the form yyyymmddThhmmssZ, or in the Date header of the "
          + "form \"Tue, 27 Mar 2007 19:36:42 GMT\".")
    }
    guard scope.date.utf8.count == 8, time.basic.hasPrefix(scope.date) else {
      throw S3Error(code, "The Credential's date must be the day of the request's time.")
    }
    (timestamp, self.time, self.expires) = (time.basic, time.seconds, expires)
    guard let names = Self.headerNames(in: signed) else {
      throw S3Error(code, "SignedHeaders must be lower-case names, once each, host among them.")
    }
    signedHeaders = names
    guard signature.count == 64, !hasUpperCase(signature), let bytes = Hex.decode(signature) else {
      throw S3Error(code, "The Signature must be 64 lower-case hex digits.")
    }
    self.signature = bytes
  }
}

extension SignatureV4 {
  /// Whether the header of that name, in any case, is under the signature.
  func covers(_ name: Span<UInt8>) -> Bool {
    for signed in signedHeaders where isHeader(name, signed) { return true }
    return false
  }

  /// The three fields of the header, once each.
  private struct HeaderFields {
    var credential, signedHeaders, signature: Range<Int>?

    static var incomplete: S3Error {
      S3Error(
        .authorizationHeaderMalformed,
        "The Authorization header must have Credential, SignedHeaders and Signature, once each.")
    }

    mutating func add(_ field: Range<Int>, of text: Span<UInt8>) throws(S3Error) {
      guard
        let equals = text.extracting(..<field.upperBound)
          .index(of: UInt8(ascii: "="), from: field.lowerBound)
      else { throw S3Error(.authorizationHeaderMalformed) }
      let name = text.extracting(field.lowerBound..<equals)
      let value = equals + 1..<field.upperBound
      if credential == nil, name.equals("Credential") {
        credential = value
      } else if signedHeaders == nil, name.equals("SignedHeaders") {
        signedHeaders = value
      } else if signature == nil, name.equals("Signature") {
        signature = value
      } else {
        throw Self.incomplete
      }
    }
  }

  /// The names between the semicolons; nil unless they are lower case and once each, with host.
  private static func headerNames(in text: Span<UInt8>) -> [String]? {
    guard !hasUpperCase(text) else { return nil }
    var names: [String] = []
    var start = 0
    while names.count < Limits.signedHeaders {
      let end = text.index(of: UInt8(ascii: ";"), from: start) ?? text.count
      let name = text.string(start..<end)
      guard !name.isEmpty, !names.contains(name) else { return nil }
      names.append(name)
      if end == text.count { return names.contains("host") ? names : nil }
      start = end + 1
    }
    return nil
  }
}

private func hasUpperCase(_ text: Span<UInt8>) -> Bool {
  for at in text.indices where UInt8(ascii: "A")...UInt8(ascii: "Z") ~= text[at] { return true }
  return false
}

/// A signature of version 2, which old clients and presigned URLs have.
struct SignatureV2: Sendable {
  let accessKeyID: String
  /// base64, as received.
  let signature: String
  /// Unix seconds of a presigned URL's end; nil: in the header, not presigned.
  let expires: Int64?

  /// `text` is what follows "AWS ".
  fileprivate init(header text: Substring) throws(S3Error) {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")), colon != text.startIndex,
      text.utf8.index(after: colon) != text.endIndex, !text.utf8.contains(UInt8(ascii: " "))
    else {
      throw S3Error(
        .authorizationHeaderMalformed,
        "The Authorization header must be \"AWS <access key id>:<signature>\".")
    }
    accessKeyID = String(text[..<colon])
    signature = String(text[text.utf8.index(after: colon)...])
    expires = nil
  }

  fileprivate init(query: Query) throws(S3Error) {
    guard let key = query["AWSAccessKeyId"], let signature = query["Signature"],
      let end = query["Expires"], !key.isEmpty, !signature.isEmpty,
      end.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let end = Int64(end)
    else {
      throw S3Error(
        .authorizationQueryParametersError,
        "A presigned URL of version 2 must have AWSAccessKeyId, Expires and Signature.")
    }
    (accessKeyID, self.signature, expires) = (key, signature, end)
  }
}
