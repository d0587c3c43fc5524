// TransferFault: errors of the Transfer API as GlobusError (globus.md 2.7, 5.4).
//
// The code decides before the status: 502 is Transfer's usual status for "the storage said no".

import Reactor

/// Transfer's error document; the fields that decide.
struct TransferFault: Decodable {
  let code: String
  let message: String
  let wantsSignIn: Bool
  /// What is asked of the next sign-in, at the top or in the message.
  private(set) var requirements = SignInRequirements.none

  private enum CodingKeys: String, CodingKey {
    case code, message
    case requiredScopes = "required_scopes"
    case authorizationParameters = "authorization_parameters"
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    code = try fields.decode(String.self, forKey: .code)
    message = try fields.decodeIfPresent(String.self, forKey: .message) ?? ""
    wantsSignIn = [.requiredScopes, .authorizationParameters].contains { key in
      fields.contains(key) && (try? fields.decodeNil(forKey: key)) == false
    }
  }

  /// What an answer other than 200 means.
  static func error(status: Int, headers: Headers, body: [UInt8]) -> GlobusError {
    switch status {
    case 401: return .expired
    case 429: return .slowDown(retryAfter: retryAfter(headers))
    default: break
    }
    guard var fault = try? GlobusJSON.decode(TransferFault.self, from: body, "Transfer's error")
    else {
      return status == 503
        ? .slowDown(retryAfter: retryAfter(headers))
        : .unavailable("Transfer answered \(status) without an error document")
    }
    fault.requirements = SignInRequirements(json: body)
    if !fault.asksForSignIn {
      fault.requirements = SignInRequirements(message: fault.message)
    }
    return fault.error(status: status, headers: headers)
  }

  private func error(status: Int, headers: Headers) -> GlobusError {
    let verdict = FaultTriage.verdict(message.utf8)
    if verdict == .noAccount { return .noAccount }
    if code.hasSuffix("LoginFailed") {
      return wantsSignIn || verdict == .signIn ? sessionRefused : .denied
    }
    switch code {
    case "ConsentRequired", "AuthorizationRequired": return .signInRequired(requirements)
    case "AuthPolicyFailed": return sessionRefused
    case "AuthenticationFailed", "ClientError.AuthenticationFailed": return .expired
    case "NotFound", "ClientError.NotFound": return .notFound
    case "EndpointNotFound": return .collectionNotFound
    case "EndpointPermissionDenied", "PermissionDenied":
      return asksForSignIn ? .signInRequired(requirements) : .denied
    default: break
    }
    if code.hasPrefix("ExternalError") || code.hasPrefix("EndpointError") {
      return storageError(verdict)
    }
    if wantsSignIn { return .signInRequired(requirements) }
    return switch status {
    case 403: .denied
    case 503: .slowDown(retryAfter: retryAfter(headers))
    default: .unavailable("Transfer answered \(status) \(shortCode)")
    }
  }

  private func storageError(_ verdict: FaultTriage.Verdict) -> GlobusError {
    if code.hasSuffix(".SizeLimit") { return .folderTooLarge }
    // A parent that is a file: nothing can exist below it.
    if code.hasSuffix(".NotDirectory") { return .notFound }
    if code.hasSuffix(".PermissionDenied") { return .denied }
    return switch verdict {
    case .signIn: sessionRefused
    case .missing: .notFound
    case .denied: .denied
    case .noAccount: .noAccount
    case .directory, .full, .ambiguous: .unavailable("the storage failed: \(shortCode)")
    }
  }

  private var asksForSignIn: Bool {
    requirements.isAboutSession || !requirements.scopes.isEmpty
  }

  /// Where Globus does not say what is wrong with the session, signing in anew is the best guess.
  private var sessionRefused: GlobusError {
    var requirements = requirements
    if !asksForSignIn { requirements.promptsLogin = true }
    return .signInRequired(requirements)
  }

  /// The code as a log may have it.
  private var shortCode: String {
    String(decoding: code.utf8.prefix(64).filter { (0x21...0x7e).contains($0) }, as: UTF8.self)
  }
}
