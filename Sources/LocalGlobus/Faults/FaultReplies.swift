// The answers that faults consist of: their statuses and bodies as globus.md has them on record.

import Reactor

extension Reply {
  /// Maintenance, told to people (also to programs).
  fileprivate static func maintenancePage(_ status: Int) -> Reply {
    Reply(
      status, headers: ["Content-Type": "text/html; charset=utf-8"],
      body: Array("<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>".utf8))
  }

  fileprivate func retryAfter(_ seconds: Int?) -> Reply {
    var reply = self
    if let seconds { reply.headers.add("Retry-After", String(seconds)) }
    return reply
  }

  /// Status 200 and a page that leads a browser to a sign-in, whatever was asked for.
  static let stepUpPage = Reply(
    200, headers: ["Content-Type": "text/html; charset=utf-8"],
    body: Array(
      "<!DOCTYPE html><html><body><script>location = '/sign-in'</script></body></html>".utf8))
}

extension AuthFault {
  @Loop var reply: Reply? {
    switch answer {
    case .ok: nil
    case .page: .maintenancePage(502)
    case .rateLimited:
      AuthService.error(429, "TOO_MANY_REQUESTS", "Too Many Requests", "Slow down")
        .retryAfter(trigger.retryAfter)
    case .unavailable:
      AuthService.error(503, "SERVICE_UNAVAILABLE", "Service Unavailable", "Maintenance")
        .retryAfter(trigger.retryAfter)
    case .invalidGrant: Reply(401, json: ["error": "invalid_grant"])
    }
  }
}

extension TransferFault {
  func reply(resource: String, about collection: HostedCollection?) -> Reply? {
    switch answer {
    case .ok: return nil
    case .page: return .maintenancePage(503).retryAfter(trigger.retryAfter)
    case .raw: return raw
    default: break
    }
    let error = error(about: collection)
    return Reply(error.status, json: error.document(resource: resource))
      .retryAfter(trigger.retryAfter)
  }

  private var raw: Reply {
    var reply = Reply(
      status ?? 200, headers: ["Content-Type": "application/json"], body: Array((body ?? "").utf8))
    reply.filler = (Array((filler ?? "").utf8), UInt64(max(fillers ?? 1, 0)))
    reply.end = Array((end ?? "").utf8)
    return reply
  }

  private func error(about collection: HostedCollection?) -> TransferError {
    switch answer {
    case .rateLimited:
      TransferError(status: 429, code: "ClientError.TooManyRequests", message: "Slow down")
    case .ok, .page, .raw, .unavailable:
      TransferError(status: 503, code: "ServiceUnavailable", message: "Down for maintenance")
    case .authenticationFailed: .authenticationFailed
    case .consentRequired: collection.map(TransferError.consentRequired) ?? .authenticationFailed
    case .endpointError:
      .storage("EndpointError", "Bad gateway", "a response was not understood", collection)
    case .timeout:
      .storage(
        "ExternalError.DirListingFailed.Timeout", "Timeout", "timed out waiting for the endpoint",
        collection)
    case .disconnected:
      .storage(
        "ExternalError.DirListingFailed.GCDisconnected", "Globus Connect is not connected",
        "offline or paused", collection)
    case .notFound:
      .storage(
        "NotFound", "No such file or directory", "550-GlobusError: v=1 c=PATH_NOT_FOUND\\r\\n",
        collection, status: 404)
    case .permissionDenied:
      .storage(
        "EndpointPermissionDenied", "Permission denied",
        "550-GlobusError: v=1 c=PERMISSION_DENIED\\r\\n", collection, status: 403)
    }
  }
}

extension DataFault {
  /// Nil: the right answer.
  @Loop func reply(_ node: Answer) -> Reply? {
    switch node {
    case .ok: return nil
    case .page: return .stepUpPage
    case .redirect:
      var reply = Reply(302, headers: DataService.headers)
      reply.headers.add("Location", "https://auth.globus.org/v2/oauth2/authorize?client_id=x")
      return reply
    case .unauthorized: return DataService.text(401, "Authentication is required")
    case .forbidden: return DataService.text(403, "Permission denied")
    case .error: return DataService.text(500, "Internal Server Error")
    case .unavailable:
      return DataService.text(503, "Service Unavailable").retryAfter(trigger.retryAfter)
    case .rateLimited:
      return DataService.text(429, "Too Many Requests").retryAfter(trigger.retryAfter)
    case .missing, .missingAtOpen, .shutdown, .managerError, .managerGone:
      return DataService.text(404, DataFault.notFoundBodies[node] ?? "")
    }
  }

  private static let notFoundBodies: [Answer: String] = [
    .missing: """
    GlobusError: v=1 c=PATH_NOT_FOUND
    GridFTP-Errno: 2
    GridFTP-Reason: System error in stat
    GridFTP-Error-String: No such file or directory
    """,
    .missingAtOpen: """
    GlobusError: v=1 c=INTERNAL_ERROR
    GridFTP-Error: globus_xio_register_open
    globus_xio: Unable to open file /x
    globus_xio: System error in open: No such file or directory
    globus_xio: A system call failed: No such file or directory
    """,
    .shutdown: """
    GlobusError: v=1 c=INTERNAL_ERROR
    GridFTP-Errno: 108
    GridFTP-Reason: System error in stat
    GridFTP-Error-String: Cannot send after transport endpoint shutdown
    """,
    .managerError: """
    Mapping collection to specified ID failed.
    GlobusError: v=1 c=ENDPOINT_ERROR
    GCS Manager Internal Error
    """,
    .managerGone: """
    Mapping collection to specified ID failed.
    GlobusError: v=1 c=ENDPOINT_ERROR
    Failure while contacting GCS Manager API.
    """,
  ]
}
