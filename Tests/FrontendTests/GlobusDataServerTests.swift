// A collection's HTTPS server: where it may be, and what its answers mean.

import Reactor
import Testing

@testable import Frontend

private let missing = """
  GlobusError: v=1 c=PATH_NOT_FOUND
  GridFTP-Errno: 2
  GridFTP-Reason: System error in stat
  GridFTP-Error-String: No such file or directory
  """
private let missingAtOpen = """
  GlobusError: v=1 c=INTERNAL_ERROR
  GridFTP-Error: globus_xio_register_open
  globus_xio: Unable to open file /x
  globus_xio: System error in open: No such file or directory
  """
private let backend = """
  GlobusError: v=1 c=INTERNAL_ERROR
  GridFTP-Errno: 108
  GridFTP-Reason: System error in stat
  GridFTP-Error-String: Cannot send after transport endpoint shutdown
  """
private let mapping = """
  Mapping collection to specified ID failed.
  GlobusError: v=1 c=ENDPOINT_ERROR
  GCS Manager Internal Error
  """
private let manager = """
  Mapping collection to specified ID failed.
  GlobusError: v=1 c=ENDPOINT_ERROR
  Failure while contacting GCS Manager API.
  """

private let mfa = {
  var requirements = SignInRequirements.none
  requirements.needsMFA = true
  return requirements
}()

@Suite struct GlobusDataServerTests {
  @Test(arguments: [
    ("A", missing, FaultTriage.Verdict.missing), ("A, CR LF", "GridFTP-Errno: 2\r\nx", .missing),
    ("A, at the end", "GridFTP-Errno: 2", .missing), ("B", missingAtOpen, .missing),
    ("C", backend, .ambiguous), ("D", mapping, .ambiguous), ("E", manager, .ambiguous),
    ("errno 28", "GridFTP-Errno: 28", .ambiguous), ("errno 21", "GridFTP-Errno: 21", .ambiguous),
    ("errno 28 before 2", "GridFTP-Errno: 28 GridFTP-Errno: 2 ", .missing),
    ("none", "", .ambiguous), ("denied", "GlobusError: v=1 c=PERMISSION_DENIED", .denied),
    ("path", "Path not allowed", .denied), ("folder", "c=IS_A_DIRECTORY", .directory),
    ("full", "c=NO_SPACE_LEFT", .full), ("quota", "c=QUOTA_EXCEEDED", .full),
    ("session", "c=LOGIN_DENIED", .signIn),
    ("consent", #"{"code": "x", "authorization_parameters": {}}"#, .signIn),
    ("no account", #"c=LOGIN_DENIED {"DATA_TYPE": "invalid_user#1.0.0"}"#, .noAccount),
  ])
  func triage(name: String, body: String, expected: FaultTriage.Verdict) {
    #expect(FaultTriage.verdict(body.utf8) == expected)
  }

  @Test func triageReadsNoFurtherThanItsLimit() {
    let padding = String(repeating: " ", count: GlobusLimits.faultBytes)
    #expect(FaultTriage.verdict((padding + missing).utf8) == .ambiguous)
  }

  @Test(arguments: [
    (302, "", GlobusError.expired), (401, #"{"authorization_parameters": {}}"#, .expired),
    (
      401, #"{"authorization_parameters": {"session_required_mfa": true}}"#,
      .signInRequired(mfa)
    ),
    (
      // Only scopes are named, and empty demands: the token has ended.
      401,
      #"{"authorization_parameters": {"session_required_identities": [], "#
        + #""session_required_mfa": false, "session_required_policies": "", "#
        + #""session_required_single_domain": null, "required_scopes": ["x"]}}"#, .expired
    ),
    (401, #"session_required_"#, .expired), (403, "does not map to a valid username", .noAccount),
    (403, "", .denied), (403, #"{"authorization_parameters": {}}"#, .signInRequired(.none)),
    (403, #"{"authorization_parameters": {"session_required_mfa": true}}"#, .signInRequired(mfa)),
    (404, missing, .notFound), (404, missingAtOpen, .notFound), (404, backend, nil),
    (404, mapping, nil), (404, manager, nil), (404, "", nil), (500, missing, .notFound),
    (404, "c=PERMISSION_DENIED", .denied), (404, "Is a directory", .notFound),
    (416, "", .invalidRange), (429, "", .slowDown(retryAfter: nil)), (503, "", nil),
    (502, "", nil), (200, missing, nil), (206, "", nil),
  ])
  func answers(status: Int, body: String, expected: GlobusError?) {
    #expect(
      DataServerAnswer.meaning(status: status, headers: [:], body: Array(body.utf8)) == expected)
  }

  @Test func aServerThatNamesAWaitIsWaitedFor() {
    #expect(
      DataServerAnswer.meaning(status: 503, headers: ["Retry-After": "9"], body: [])
        == .slowDown(retryAfter: 9))
  }

  typealias Head = (
    status: Int, contentRange: String?, length: UInt64?, range: ClosedRange<UInt64>?, isObject: Bool
  )
  static let heads: [Head] = [
    (200, nil, 10, nil, true), (200, nil, 10, 0...4, true), (206, "bytes 0-4/*", 5, 0...4, true),
    (206, "bytes 0-4/10", 5, 0...4, true), (206, "bytes 2-4/*", nil, 2...100, true),
    (206, "bytes 0-4/*", 5, nil, false), (206, "bytes 1-4/*", 4, 0...4, false),
    (206, "bytes 0-5/*", 6, 0...4, false), (206, "bytes 0-4/*", 6, 0...4, false),
    (206, nil, 5, 0...4, false), (206, "bytes */10", 5, 0...4, false),
    (206, "bytes 4-0/*", 5, 0...4, false), (204, nil, 0, nil, false),
    (206, "bytes 0-18446744073709551615/*", nil, 0...UInt64.max, false),
  ]

  @Test(arguments: heads) func objects(_ head: Head) {
    #expect(
      DataServerAnswer.isObject(
        status: head.status, contentRange: head.contentRange, length: head.length,
        range: head.range) == head.isObject)
  }

  @Test(arguments: [
    ("https://m-d3a2c3.collection1.example.org", "m-d3a2c3.collection1.example.org"),
    ("https://Data.Example.org/", "data.example.org"),
    ("https://data.example.org:8443", "data.example.org:8443"),
    ("https://data.example.org:443", "data.example.org"),
    ("http://data.example.org", nil), ("https://user@data.example.org", nil),
    ("https://user:pw@data.example.org", nil), ("https://data.example.org/path", nil),
    ("https://data.example.org?x", nil), ("https://data.example.org#x", nil),
    ("https://data.example.org//", nil), ("https://data_x.example.org", nil),
    ("https://-a.example.org", nil), ("https://[::1]", nil), ("https://", nil), ("", nil),
    ("https://a..b", nil), ("https://a:0", nil), ("https://a:65536", nil), ("https://a:", nil),
    ("https://ü.example.org", nil), ("https://a.example.org\r\nX: y", nil),
    ("data.example.org", nil), ("javascript:alert(1)", nil), ("javascript://a.example.org", nil),
    ("file:///etc/passwd", nil), ("//a.example.org", nil), ("https:a.example.org", nil),
    ("https://a.example.org.", nil), ("https://.a.example.org", nil), ("https://.", nil),
    ("https://[::ffff:127.0.0.1]:443", nil), ("https://::1", nil), ("https://a.example.org:", nil),
    ("https://a.example.org:-1", nil), ("https://a.example.org:99999999999999999999", nil),
    ("https://a.example.org:443:443", nil), ("https://a.example.org:8443/../x", nil),
    ("https://a.example.org\\@evil.example.org", nil), ("https://a.example.org%2fx", nil),
    ("https://a.example.org%00.evil.example.org", nil), ("https://a.example.org\0", nil),
    (" https://a.example.org", nil), ("https://a.example.org ", nil), ("https://a b", nil),
    ("https://а.example.org", nil),  // a Cyrillic letter
    ("https://xn--bcher-kva.example.org", "xn--bcher-kva.example.org"),
    ("https://192.0.2.7:8443", "192.0.2.7:8443"), ("https://2130706433", nil),
    ("https://0x7f000001", nil), ("https://0x7f.1", nil), ("https://127.1", nil),
    ("https://0177.0.0.1", nil), ("https://127.0.0.01", nil), ("https://256.0.0.1", nil),
    ("https://1.example.org", "1.example.org"),
  ])
  func servers(text: String, expected: String?) {
    #expect(HTTPSServer(text)?.authority == expected)
  }

  @Test func longHostNamesAreRefused() {
    let label = String(repeating: "a", count: 50)
    let host = Array(repeating: label, count: 5).joined(separator: ".")
    #expect(host.utf8.count > GlobusLimits.hostBytes)
    #expect(HTTPSServer("https://" + host) == nil)
  }
}
