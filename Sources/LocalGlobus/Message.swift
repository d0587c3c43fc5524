// Message: requests and answers as the services see them, and the encodings of their parameters.
//
// A `Request` is a value that tests can make; only `Service` knows the connection behind it.

import FoundationEssentials
import Reactor

struct Request {
  let method: String
  /// As received, percent-encoded.
  let path: String
  let query: Parameters
  let body: [UInt8]
  private let headers: [(name: String, value: String)]

  init(
    _ method: String, _ target: String, headers: [(name: String, value: String)] = [],
    body: [UInt8] = []
  ) {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    self.method = method
    path = String(parts[0])
    query = Parameters(parts.count > 1 ? parts[1] : "")
    self.body = body
    self.headers = headers
  }

  /// The body as a form (application/x-www-form-urlencoded).
  var form: Parameters { Parameters(String(decoding: body, as: UTF8.self)[...]) }

  subscript(header name: String) -> String? {
    headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  /// The token of `Authorization: Bearer …`.
  var bearerToken: String? { credentials(of: "bearer") }

  /// User and password of `Authorization: Basic …` (RFC 7617).
  var basicCredentials: (user: String, password: String)? {
    guard let encoded = credentials(of: "basic"), let data = Data(base64Encoded: encoded)
    else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
  }

  private func credentials(of scheme: String) -> String? {
    guard let value = self[header: "Authorization"] else { return nil }
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == scheme else { return nil }
    return parts[1].trimmingPrefix { $0 == " " }.description
  }
}

struct Reply {
  var status: Int
  var headers: Headers
  var body: [UInt8]
  /// The Content-Length to a HEAD, when it is not that of `body`.
  var length: UInt64?
  /// What follows the body: some bytes so many times, then others.
  var filler: (bytes: [UInt8], count: UInt64) = ([], 0)
  var end: [UInt8] = []

  init(_ status: Int, headers: Headers = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  init(_ status: Int, json: JSON) {
    self.init(
      status, headers: ["Content-Type": "application/json", "Cache-Control": "no-store"],
      body: json.bytes)
  }

  init(_ status: Int, text: String) {
    self.init(
      status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: Array(text.utf8))
  }

  static func redirect(to location: String) -> Reply {
    Reply(302, headers: ["Location": location, "Cache-Control": "no-store"])
  }
}

/// Names and values of a query or of a form (application/x-www-form-urlencoded), in order.
struct Parameters {
  private(set) var pairs: [(name: String, value: String)]

  init(_ text: Substring) {
    pairs = text.split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (Parameters.decode(parts[0]), parts.count > 1 ? Parameters.decode(parts[1]) : "")
    }
  }

  /// The first value of that name.
  subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

  func values(of name: String) -> [String] {
    pairs.filter { $0.name == name }.map(\.value)
  }

  private static func decode(_ text: Substring) -> String {
    String(decoding: Percent.decode(text.replacing("+", with: " ").utf8), as: UTF8.self)
  }
}

/// Percent-encoding (RFC 3986 section 2.1).
enum Percent {
  /// Escapes that are not well-formed stay as they are, as in browsers.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var rest = text[...]
    while let byte = rest.popFirst() {
      let escape = rest.prefix(2)
      if byte == UInt8(ascii: "%"), escape.count == 2,
        let value = UInt8(String(decoding: escape, as: UTF8.self), radix: 16),
        escape.first != UInt8(ascii: "+"), escape.first != UInt8(ascii: "-")
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }

  /// Every byte but the unreserved ones becomes an escape.
  static func encode(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let hex = String(byte, radix: 16, uppercase: true)
        result += (byte < 16 ? "%0" : "%") + hex
      }
    }
    return result
  }
}

extension String {
  /// The URL with the parameters added to its query.
  func addingQuery(_ parameters: KeyValuePairs<String, String>) -> String {
    let added = parameters.map { $0.key + "=" + Percent.encode($0.value) }.joined(separator: "&")
    return self + (contains("?") ? "&" : "?") + added
  }

  /// For HTML text and quoted attributes.
  var htmlEscaped: String {
    var result = ""
    for character in unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
