// What the errors of Transfer and Auth mean, by bodies of their documented shapes.

import Reactor
import Testing

@testable import Frontend

private func body(_ code: String, _ message: String = "", _ more: String = "") -> [UInt8] {
  Array(
    #"{"code": "\#(code)", "message": "\#(message)", "request_id": "7Uabc", "resource": "/x"\#(more)}"#
      .utf8)
}

private let loginFailed = "ExternalError.DirListingFailed.LoginFailed"
private let session =
  #"530-Login incorrect. : GlobusError: v=1 c=LOGIN_DENIED\\r\\n530-GridFTP-JSON-Result: "#
  + #"{\"authorization_parameters\": {\"session_required_single_domain\": [\"uni.example\"]}}"#
private let noAccount =
  #"530-Login incorrect. : GlobusError: v=1 c=LOGIN_DENIED\\r\\n530-GridFTP-JSON-Result: "#
  + #"{\"detail\": {\"DATA_TYPE\": \"invalid_user#1.0.0\"}}"#
private let parameters = #", "authorization_parameters": {"session_required_mfa": true}"#
private let mfa = requirements { $0.needsMFA = true }
private let domain = requirements { $0.domains = ["uni.example"] }
private let login = requirements { $0.promptsLogin = true }

private func requirements(_ set: (inout SignInRequirements) -> Void) -> SignInRequirements {
  var requirements = SignInRequirements.none
  set(&requirements)
  return requirements
}

@Suite struct GlobusErrorTests {
  @Test(arguments: [
    (401, body("AuthenticationFailed"), GlobusError.expired),
    (401, body("ClientError.AuthenticationFailed"), .expired),
    (401, [], .expired),
    (403, body("ConsentRequired", "", #", "required_scopes": ["x"]"#), .signInRequired(.none)),
    (403, body("AuthPolicyFailed", "", parameters), .signInRequired(mfa)),
    (403, body("AuthPolicyFailed"), .signInRequired(login)),
    (403, body("SomethingNew", "", parameters), .signInRequired(mfa)),
    (403, body("SomethingNew", "", #", "authorization_parameters": null"#), .denied),
    (403, body("EndpointPermissionDenied"), .denied),
    (403, body("EndpointPermissionDenied", "", parameters), .signInRequired(mfa)),
    (403, body("PermissionDenied"), .denied),
    (404, body("ClientError.NotFound"), .notFound),
    (404, body("NotFound", "c=PATH_NOT_FOUND GridFTP-Errno: 2"), .notFound),
    (404, body("EndpointNotFound"), .collectionNotFound),
    (404, Array("<html>".utf8), .unavailable("Transfer answered 404 without an error document")),
    (502, body(loginFailed, session, parameters), .signInRequired(mfa)),
    (502, body(loginFailed, session), .signInRequired(domain)),
    (502, body(loginFailed, "c=LOGIN_DENIED"), .signInRequired(login)),
    (502, body(loginFailed, noAccount), .noAccount),
    (502, body(loginFailed, noAccount, parameters), .noAccount),
    (502, body("EndpointError", session), .signInRequired(domain)),
    (502, body("ExternalError.DirListingFailed.NotDirectory"), .notFound),
    (502, body("ExternalError.DirListingFailed.PermissionDenied"), .denied),
    (502, body("ExternalError.StatFailed", "c=PATH_NOT_FOUND"), .notFound),
    (502, body("ExternalError.StatFailed", "c=PERMISSION_DENIED"), .denied),
    (
      502, body("ExternalError.DirListingFailed.ConnectFailed"),
      .unavailable("the storage failed: ExternalError.DirListingFailed.ConnectFailed")
    ),
    (502, body("EndpointError"), .unavailable("the storage failed: EndpointError")),
    (500, body("Internal\\nError"), .unavailable("Transfer answered 500 InternalError")),
    (302, [], .unavailable("Transfer answered 302 without an error document")),
  ])
  func transferErrors(status: Int, body: [UInt8], expected: GlobusError) {
    #expect(TransferFault.error(status: status, headers: [:], body: body) == expected)
  }

  @Test(arguments: [
    ("7", 7), ("0", 0), ("99999999", GlobusLimits.retryAfterSeconds), ("-1", nil),
    ("Fri, 31 Dec 1999 23:59:59 GMT", nil), (nil, nil),
  ])
  func slowDownKeepsWhatGlobusSaid(header: String?, expected: Int?) {
    var headers = Headers()
    if let header { headers.add("Retry-After", header) }
    let slow = GlobusError.slowDown(retryAfter: expected)
    #expect(TransferFault.error(status: 429, headers: headers, body: []) == slow)
    #expect(TransferFault.error(status: 503, headers: headers, body: []) == slow)
    #expect(
      TransferFault.error(status: 503, headers: headers, body: body("ServiceUnavailable")) == slow)
    #expect(
      AuthError(status: 503, headers: headers, body: []) == .slowDown(retryAfter: expected))
  }

  @Test(arguments: [
    (401, #"{"error": "invalid_grant"}"#, AuthError.invalidGrant),
    (400, #"{"error": "invalid_grant", "error_description": "x"}"#, .invalidGrant),
    (400, #"{"error": "unknown_scope_error"}"#, .unknownScope),
    (401, #"{"error": "invalid_scope_error"}"#, .unknownScope),
    (401, #"{"error": "invalid_client"}"#, .invalidClient),
    (401, #"{"errors": [], "error": "unauthorized"}"#, .invalidClient),
    (401, "<html>", .invalidClient),
    (403, #"{"error": "forbidden"}"#, .unavailable("Auth answered 403")),
    (500, #"{"error": "invalid_grant"}"#, .unavailable("Auth answered 500")),
    (302, "", .unavailable("Auth answered 302")),
  ])
  func authErrors(status: Int, body: String, expected: AuthError) {
    #expect(AuthError(status: status, headers: [:], body: Array(body.utf8)) == expected)
  }

  @Test(arguments: [
    ("2026-03-04 05:06:07+00:00", 1_772_600_767), ("2026-03-04T05:06:07+00:00", 1_772_600_767),
    ("2026-03-04T05:06:07Z", 1_772_600_767), ("1969-12-31 23:59:59+00:00", -1),
    ("yesterday", nil), ("", nil),
  ])
  func transferTimes(text: String, expected: Int64?) {
    #expect(FileDocument.seconds(text) == expected)
  }

  @Test(arguments: [
    (
      #"{"type": "file", "size": 812, "last_modified": "1970-01-01 00:01:00+00:00", "user": null}"#,
      FileStatus(kind: .file, size: 812, modified: 60)
    ),
    (
      #"{"type": "dir", "size": 4096, "last_modified": "1970-01-01 00:01:00+00:00"}"#,
      FileStatus(kind: .directory, size: 0, modified: 60)
    ),
    (#"{"type": "dir"}"#, FileStatus(kind: .directory, size: 0, modified: 0)),
    (#"{"type": "pipe", "size": 0}"#, FileStatus(kind: .other, size: 0, modified: 0)),
    (
      #"{"type": "invalid_symlink", "size": null}"#,
      FileStatus(kind: .other, size: 0, modified: 0)
    ),
  ])
  func fileDocuments(text: String, expected: FileStatus) throws {
    let document = try GlobusJSON.decode(FileDocument.self, from: Array(text.utf8), "it")
    #expect(try document.status() == expected)
  }

  @Test(arguments: [
    #"{"type": "file", "last_modified": "1970-01-01 00:01:00+00:00"}"#,
    #"{"type": "file", "size": 3}"#, #"{"type": "file", "size": 3, "last_modified": "soon"}"#,
    #"{"type": "file", "size": -3, "last_modified": "1970-01-01 00:01:00+00:00"}"#,
    #"{"type": "file", "size": "3", "last_modified": "1970-01-01 00:01:00+00:00"}"#, #"{}"#,
  ])
  func filesWithoutSizeOrTimeAreUnavailable(text: String) {
    #expect {
      try GlobusJSON.decode(FileDocument.self, from: Array(text.utf8), "it").status()
    } throws: { error in
      if case .unavailable = error as? GlobusError { true } else { false }
    }
  }
}
