// Authorization: where a request carries its access key id and signature, parsed strictly.
//
// A request names its credential in one place only: the header or the query, never both. What is
// parsed here is not yet verified (`Signature`). Text is looked at as bytes: every request comes
// by here, and finding `Character`s in a long header costs more than all the cryptography.

import Crypto

enum Authorization: Sendable {
  case anonymous
  case version4(SignatureV4)
  case version2(SignatureV2)

  /// The parsed form. `headers` are all of the request's, in order. Throws the S3 error that fits
  /// the place: AuthorizationHeaderMalformed or AuthorizationQueryParametersError.
  init(headers: [(name: String, value: String)], query: Query) throws(S3Error) {
    let fields = headers.filter { isHeader($0.name, "authorization") }
    let isQueryV4 = query.parameters.contains {
      ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"].contains($0.name)
    }
    let isQueryV2 = query.contains("AWSAccessKeyId") || query.contains("Signature")
    guard fields.count + (isQueryV4 ? 1 : 0) + (isQueryV2 ? 1 : 0) <= 1 else {
      throw S3Error(
        .invalidRequest, "Only one way to sign is allowed: one Authorization header or one query.")
    }
    let isToken = { (name: String) in isHeader(name, "x-amz-security-token") }
    guard !headers.contains(where: { isToken($0.name) && !$0.value.isEmpty }),
      !query.parameters.contains(where: { isToken($0.name) && !$0.value.isEmpty })
    else { throw S3Error(.invalidToken) }
    if let field = fields.first {
      self = try Self.header(field.value, headers)
    } else if isQueryV4 {
      self = .version4(try SignatureV4(query: query))
    } else if isQueryV2 {
      self = .version2(try SignatureV2(query: query))
    } else {
      self = .anonymous
    }
  }

  private static func header(
    _ value: String, _ headers: [(name: String, value: String)]
  ) throws(S3Error) -> Authorization {
    guard value.utf8.count <= Limits.authorizationBytes else {
      throw S3Error(.authorizationHeaderMalformed, "The Authorization header is too long.")
    }
    let value = Array(value.utf8)
    guard let space = value.firstIndex(of: UInt8(ascii: " ")) else {
      throw S3Error(.authorizationHeaderMalformed)
    }
    let rest = value[(space + 1)...]
    switch String(decoding: value[..<space], as: UTF8.self) {
    case SignatureV4.algorithm:
      return .version4(try SignatureV4(header: rest, headers: headers))
    case "AWS":
      return .version2(try SignatureV2(header: String(decoding: rest, as: UTF8.self)[...]))
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

/// Whether a header of that name is the one called `lowercased`.
func isHeader(_ name: String, _ lowercased: String) -> Bool {
  guard name.utf8.count == lowercased.utf8.count else { return false }
  return name.utf8.elementsEqual(lowercased.utf8, by: isSame)
}

/// Whether a byte of ASCII is the lower-case one, in either case.
func isSame(_ byte: UInt8, _ lowercased: UInt8) -> Bool {
  (UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte) == lowercased
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
    header text: ArraySlice<UInt8>, headers: [(name: String, value: String)]
  ) throws(S3Error) {
    var fields = HeaderFields()
    var rest = text
    while true {
      let comma = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
      try fields.add(rest[..<comma].drop { $0 == UInt8(ascii: " ") })
      if comma == rest.endIndex { break }
      rest = rest[(comma + 1)...]
    }
    guard let credential = fields.credential, let signed = fields.signedHeaders,
      let signature = fields.signature
    else { throw HeaderFields.incomplete }
    let header = { (name: String) in headers.first { isHeader($0.name, name) }?.value }
    let time: SignatureTime?
    if let date = header("x-amz-date") {
      time = SignatureTime(basic: date)
    } else if let date = header("date") {
      time = SignatureTime(date)
    } else {
      throw S3Error(
        .authorizationHeaderMalformed, "A signed request must have an x-amz-date or Date header.")
    }
    try self.init(
      credential: credential, signed: signed, signature: signature, time: time,
      expires: nil, code: .authorizationHeaderMalformed)
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
      credential: Array(credential.utf8)[...], signed: Array(signed.utf8)[...],
      signature: Array(signature.utf8)[...], time: SignatureTime(basic: date), expires: expires,
      code: code)
  }

  private init(
    credential: ArraySlice<UInt8>, signed: ArraySlice<UInt8>, signature: ArraySlice<UInt8>,
    time: SignatureTime?, expires: Int64?, code: S3Error.Code
  ) throws(S3Error) {
    // From the right: an access key id may hold a "/".
    let parts = Self.lastParts(of: credential)
    guard let parts, parts.3.elementsEqual("aws4_request".utf8), parts.2.elementsEqual("s3".utf8)
    else {
      throw S3Error(code, "The Credential must be <access key id>/<date>/<region>/s3/aws4_request.")
    }
    let date = parts.0
    accessKeyID = String(decoding: credential[..<(date.startIndex - 1)], as: UTF8.self)
    scope = Scope(
      date: String(decoding: date, as: UTF8.self), region: String(decoding: parts.1, as: UTF8.self))
    guard !accessKeyID.isEmpty else { throw S3Error(code, "The access key id is empty.") }
    guard let time else {
      throw S3Error(
        code,
        "The request's time must be of the form yyyymmddThhmmssZ, or in the Date header of the "
          + "form \"Tue, 27 Mar 2007 19:36:42 GMT\".")
    }
    guard date.count == 8, time.basic.utf8.starts(with: date) else {
      throw S3Error(code, "The Credential's date must be the day of the request's time.")
    }
    (timestamp, self.time, self.expires) = (time.basic, time.seconds, expires)
    guard let names = Self.headerNames(in: signed) else {
      throw S3Error(code, "SignedHeaders must be lower-case names, once each, host among them.")
    }
    signedHeaders = names
    guard signature.count == 64, !signature.contains(where: isUpperCase),
      let bytes = Hex.decode(signature)
    else { throw S3Error(code, "The Signature must be 64 lower-case hex digits.") }
    self.signature = bytes
  }
}

extension SignatureV4 {
  /// Whether the header of that name, in any case, is under the signature.
  func covers(_ name: String) -> Bool { signedHeaders.contains { isHeader(name, $0) } }

  /// The three fields of the header, once each.
  private struct HeaderFields {
    var credential, signedHeaders, signature: ArraySlice<UInt8>?

    static var incomplete: S3Error {
      S3Error(
        .authorizationHeaderMalformed,
        "The Authorization header must have Credential, SignedHeaders and Signature, once each.")
    }

    mutating func add(_ field: ArraySlice<UInt8>) throws(S3Error) {
      guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else {
        throw S3Error(.authorizationHeaderMalformed)
      }
      let name = field[..<equals]
      let value = field[(equals + 1)...]
      if credential == nil, name.elementsEqual("Credential".utf8) {
        credential = value
      } else if signedHeaders == nil, name.elementsEqual("SignedHeaders".utf8) {
        signedHeaders = value
      } else if signature == nil, name.elementsEqual("Signature".utf8) {
        signature = value
      } else {
        throw Self.incomplete
      }
    }
  }

  /// The four parts behind the last four slashes; nil when there are fewer.
  private static func lastParts(
    of text: ArraySlice<UInt8>
  ) -> (ArraySlice<UInt8>, ArraySlice<UInt8>, ArraySlice<UInt8>, ArraySlice<UInt8>)? {
    var rest = text
    let next = { () -> ArraySlice<UInt8>? in
      guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return nil }
      let part = rest[(slash + 1)...]
      rest = rest[..<slash]
      return part
    }
    guard let fourth = next(), let third = next(), let second = next(), let first = next() else {
      return nil
    }
    return (first, second, third, fourth)
  }

  /// The names between the semicolons; nil unless they are lower case and once each, with host.
  private static func headerNames(in text: ArraySlice<UInt8>) -> [String]? {
    var names: [String] = []
    var rest = text
    while names.count < Limits.signedHeaders {
      let end = rest.firstIndex(of: UInt8(ascii: ";")) ?? rest.endIndex
      let name = rest[..<end]
      guard !name.isEmpty, !name.contains(where: isUpperCase) else { return nil }
      names.append(String(decoding: name, as: UTF8.self))
      if end == rest.endIndex {
        return names.contains("host") && Set(names).count == names.count ? names : nil
      }
      rest = rest[(end + 1)...]
    }
    return nil
  }
}

private func isUpperCase(_ byte: UInt8) -> Bool { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte }

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
