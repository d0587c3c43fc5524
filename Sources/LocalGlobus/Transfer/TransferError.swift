// TransferError: what Transfer answers when it does not do what was asked, and its wording.
//
// "The storage said no" is a 502 in Transfer; a path that is missing has one code in a listing and
// another in a stat. Line ends in a GridFTP reply appear as the four characters \r\n.

struct TransferError: Error {
  let status: Int
  let code: String
  let message: String
  var requiredScopes: [String] = []
  var authorizationParameters: [String: JSON] = [:]

  /// `resource` is the path without the API's version.
  func document(resource: String) -> JSON {
    var document: [String: JSON] = [
      "code": .string(code), "message": .string(message), "resource": .string(resource),
      "request_id": .string(String(TokenStore.randomText(8).prefix(9))),
    ]
    if !requiredScopes.isEmpty {
      let scopes = JSON.array(requiredScopes.map { .string($0) })
      document["required_scopes"] = scopes
      document["authorization_parameters"] = ["required_scopes": scopes]
    }
    if !authorizationParameters.isEmpty {
      document["authorization_parameters"] = .object(authorizationParameters)
    }
    return .object(document)
  }

  static let noCredentials = TransferError(
    status: 400, code: "ClientError.BadRequest", message: "No credentials supplied")
  static let authenticationFailed = TransferError(
    status: 401, code: "AuthenticationFailed", message: "Token is not active")
  static let noSuchResource = TransferError(
    status: 404, code: "ClientError.NotFound", message: "No such resource")

  static func badRequest(_ message: String) -> TransferError {
    TransferError(status: 400, code: "ClientError.BadRequest", message: message)
  }

  static func notSupported(_ method: String) -> TransferError {
    TransferError(
      status: 405, code: "NotSupported", message: "\(method) is not supported on this resource")
  }

  static func endpointNotFound(_ id: String) -> TransferError {
    TransferError(
      status: 404, code: "EndpointNotFound", message: "No such endpoint '\(id)'")
  }

  static func consentRequired(_ collection: HostedCollection) -> TransferError {
    let scope = "\(Scope.transfer)[*\(Scope.dataAccess(collection.id))]"
    return TransferError(
      status: 403, code: "ConsentRequired", message: "Missing required data_access consent",
      requiredScopes: [scope])
  }

  static func invalidPath(_ refusal: CollectionPath.Refusal, _ endpoint: HostedCollection)
    -> TransferError
  {
    switch refusal {
    case .notAllowed: denied("500 Command failed : Path not allowed.\\r\\n", endpoint)
    case .invalid:
      TransferError(status: 400, code: "InvalidPath", message: "The path is not valid")
    }
  }

  static func listing(
    _ error: FileError, _ path: CollectionPath, _ endpoint: HostedCollection
  ) -> TransferError {
    let text = path.directoryText
    switch error {
    case .notFound:
      return TransferError(
        status: 404, code: "ClientError.NotFound",
        message: "Directory '\(text)' not found on endpoint '\(endpoint.displayName)'")
    case .notDirectory:
      return listingFailed(
        "NotDirectory", "Path is not a directory",
        gridFTP("NOT_A_DIRECTORY", 20, "open", "Not a directory"), endpoint)
    case .permissionDenied, .notAllowed:
      return listingFailed(
        "PermissionDenied", "Permission denied",
        gridFTP("PERMISSION_DENIED", 13, "open", "Permission denied"), endpoint)
    case .tooMany:
      return listingFailed(
        "SizeLimit", "Directory is too large",
        "Directory listing limit of \(Limits.listingEntries) entries reached", endpoint)
    case .system(let number):
      return TransferError(
        status: 502, code: "ExternalError.DirListingFailed",
        message: commandFailed(
          endpoint, "Fatal FTP Response",
          gridFTP("INTERNAL_ERROR", number, "open", "System error")))
    }
  }

  static func stat(
    _ error: FileError, _ path: CollectionPath, _ endpoint: HostedCollection
  ) -> TransferError {
    switch error {
    case .notFound, .notDirectory:
      let name = String(path.directoryText.dropLast())
      let details =
        "Error: '\(name)' not found\\r\\n550-"
        + gridFTP("PATH_NOT_FOUND", 2, "stat", "No such file or directory")
      return TransferError(
        status: 404, code: "NotFound",
        message: "Path not found, "
          + about(endpoint, "No such file or directory", details))
    case .permissionDenied, .tooMany:
      return denied(
        "550-" + gridFTP("PERMISSION_DENIED", 13, "stat", "Permission denied"), endpoint)
    case .notAllowed: return denied("500 Command failed : Path not allowed.\\r\\n", endpoint)
    case .system(let number):
      return TransferError(
        status: 502, code: "EndpointError",
        message: commandFailed(
          endpoint, "Fatal FTP Response",
          gridFTP("INTERNAL_ERROR", number, "stat", "System error")))
    }
  }

  static func hidden(_ id: String) -> TransferError {
    TransferError(
      status: 403, code: "PermissionDenied",
      message: "You do not have permission to view endpoint '\(id)'")
  }

  /// What a storage says of itself, in Transfer's wrapping.
  static func storage(
    _ code: String, _ message: String, _ details: String, _ endpoint: HostedCollection?,
    status: Int = 502, command: String = "list"
  ) -> TransferError {
    guard let endpoint else { return TransferError(status: status, code: code, message: message) }
    return TransferError(
      status: status, code: code,
      message: "Command Failed: " + about(endpoint, message, details, command: command))
  }

  private static func denied(_ details: String, _ endpoint: HostedCollection) -> TransferError {
    TransferError(
      status: 403, code: "EndpointPermissionDenied",
      message: "Denied by endpoint, " + about(endpoint, "Fatal FTP Response", details))
  }

  private static func listingFailed(
    _ code: String, _ message: String, _ details: String, _ endpoint: HostedCollection
  ) -> TransferError {
    TransferError(
      status: 502, code: "ExternalError.DirListingFailed.\(code)",
      message: commandFailed(endpoint, message, details))
  }

  private static func commandFailed(
    _ endpoint: HostedCollection, _ message: String, _ details: String
  ) -> String { "Command Failed: " + about(endpoint, message, details) }

  private static func about(
    _ endpoint: HostedCollection, _ message: String, _ details: String, command: String = "list"
  ) -> String {
    """
    Error (\(command))
    Endpoint: \(endpoint.displayName) (\(endpoint.id))
    Server: 127.0.0.1:443
    Message: \(message)
    ---
    Details: \(details)

    """
  }

  private static func gridFTP(
    _ code: String, _ number: Int32, _ call: String, _ text: String
  ) -> String {
    let lines = [
      "GlobusError: v=1 c=\(code)", "550-GridFTP-Errno: \(number)",
      "550-GridFTP-Reason: System error in \(call)", "550-GridFTP-Error-String: \(text)",
      "550 End.",
    ]
    return lines.map { $0 + "\\r\\n" }.joined()
  }
}
