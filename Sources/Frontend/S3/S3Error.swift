// S3Error: every refusal in S3's words, in one table of code, status and default message.
//
// Statuses are the contract's where it departs from AWS on purpose: everything about credentials
// is 403, also expiry, since a HEAD has no body to explain a 400. A message says what to do next.

struct S3Error: Error, Sendable {
  enum Code: String, Sendable, CaseIterable {
    case accessDenied = "AccessDenied"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badRequest = "BadRequest"
    case expectationFailed = "ExpectationFailed"
    case expiredToken = "ExpiredToken"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidAccessKeyId = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketState = "InvalidBucketState"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidToken = "InvalidToken"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case noConfiguration = "NoSuchConfiguration"
    case noEncryptionConfiguration = "ServerSideEncryptionConfigurationNotFoundError"
    case noObjectLockConfiguration = "ObjectLockConfigurationNotFoundError"
    case noOwnershipControls = "OwnershipControlsNotFoundError"
    case noReplicationConfiguration = "ReplicationConfigurationNotFoundError"
    case noSuchBucket = "NoSuchBucket"
    case noSuchBucketPolicy = "NoSuchBucketPolicy"
    case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
    case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
    case noSuchPublicAccessBlock = "NoSuchPublicAccessBlockConfiguration"
    case noSuchTagSet = "NoSuchTagSet"
    case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
    case noSuchKey = "NoSuchKey"
    case noSuchVersion = "NoSuchVersion"
    case notImplemented = "NotImplemented"
    case preconditionFailed = "PreconditionFailed"
    case requestHeaderSectionTooLarge = "RequestHeaderSectionTooLarge"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case requestTimeout = "RequestTimeout"
    case requestTooLarge = "EntityTooLarge"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case uriTooLong = "RequestURITooLong"
    case versionNotSupported = "HTTPVersionNotSupported"

    var status: Int { entry.status }
    var message: String { entry.message }

    private var entry: (status: Int, message: String) {
      switch self {
      case .accessDenied: (403, "Access denied.")
      case .authorizationHeaderMalformed:
        (400, "The Authorization header is not of the form that AWS signature version 4 has.")
      case .authorizationQueryParametersError:
        (400, "The X-Amz-… parameters are not those of a presigned URL of signature version 4.")
      case .badRequest: (400, "This is not a well-formed HTTP request.")
      case .expectationFailed: (417, "The only expectation that this server meets is 100-continue.")
      case .expiredToken: (403, "The credential has expired.")
      case .incompleteBody: (400, "The request's body ended before its declared length.")
      case .internalError:
        (500, "The server made a mistake. Please tell its operator the request id.")
      case .invalidAccessKeyId: (403, "This access key id was not issued here.")
      case .invalidArgument: (400, "An argument of the request is not valid.")
      case .invalidBucketState: (409, "The bucket's collection can't serve this request.")
      case .invalidPartNumber: (416, "The object has one part only: part number 1.")
      case .invalidRange: (416, "The range starts behind the object's end.")
      case .invalidRequest: (400, "The request is not valid.")
      case .invalidToken:
        (400, "Credentials issued here have no session token: unset it (AWS_SESSION_TOKEN).")
      case .invalidURI: (400, "The request's path or query can't be understood.")
      case .keyTooLong: (400, "The key is longer than \(Limits.keyBytes) bytes.")
      case .methodNotAllowed: (405, "This method is not allowed against this resource.")
      case .missingContentLength: (411, "The length of the body must be declared.")
      case .noConfiguration,
        .noEncryptionConfiguration,
        .noObjectLockConfiguration,
        .noOwnershipControls,
        .noReplicationConfiguration,
        .noSuchBucketPolicy,
        .noSuchCORSConfiguration,
        .noSuchLifecycleConfiguration,
        .noSuchPublicAccessBlock,
        .noSuchTagSet,
        .noSuchWebsiteConfiguration:
        (404, "The bucket has no such configuration.")
      case .noSuchBucket: (404, "There is no such bucket.")
      case .noSuchKey: (404, "There is no such key.")
      case .noSuchVersion:
        (404, "There is no such version: objects here have the version null only.")
      case .notImplemented: (501, "This is not implemented.")
      case .preconditionFailed: (412, "A precondition of the request does not hold.")
      case .requestHeaderSectionTooLarge: (431, "The request's headers are too large.")
      case .requestTimeTooSkewed:
        (403, "The request's time is too far from the server's: set the clock right.")
      case .requestTimeout: (400, "The request did not come in time.")
      case .requestTooLarge: (413, "The request is too large.")
      case .serviceUnavailable: (503, "Please try again.")
      case .signatureDoesNotMatch:
        (
          403,
          "The signature is not that of the secret access key shown at sign-in: check the secret."
        )
      case .slowDown: (503, "Please reduce your request rate.")
      case .uriTooLong: (414, "The request's target is too long.")
      case .versionNotSupported: (505, "This server speaks HTTP/1.1.")
      }
    }
  }

  let code: Code
  let status: Int
  let message: String
  /// Headers of the answer that belong to this error.
  let headers: [(name: String, value: String)]
  /// Further elements of the body. Names are the program's own.
  let details: [(name: String, value: String)]
  /// What the log and the audit are told, never the client; holds no secret.
  let cause: String?

  init(
    _ code: Code, _ message: String? = nil, headers: [(name: String, value: String)] = [],
    details: [(name: String, value: String)] = [], cause: String? = nil, status: Int? = nil
  ) {
    self.code = code
    self.status = status ?? code.status
    self.message = message ?? code.message
    self.headers = headers
    self.details = details
    self.cause = cause
  }

  /// The answer's body. `resource` is the path as received.
  func body(resource: String, requestID: String) -> [UInt8] {
    var xml = XML()
    xml.element("Error") { xml in
      xml.element("Code", code.rawValue)
      xml.element("Message", message)
      for detail in details { xml.element(detail.name, detail.value) }
      xml.element("Resource", resource)
      xml.element("RequestId", requestID)
      xml.element("HostId", requestID)
    }
    return xml.bytes
  }
}

extension S3Error {
  /// An error of the S3 API's 503 kind that says when to come back.
  static func unavailable(_ message: String, cause: String) -> S3Error {
    S3Error(
      .serviceUnavailable, message,
      headers: [("Retry-After", "\(Limits.retryAfterSeconds)")], cause: cause)
  }

  /// Too much at once; says when to come back.
  static func slowDown(_ reason: String) -> S3Error {
    S3Error(
      .slowDown, "\(reason) \(Code.slowDown.message)",
      headers: [("Retry-After", "\(Limits.retryAfterSeconds)")])
  }

  static func invalidRange(size: UInt64) -> S3Error {
    S3Error(
      .invalidRange, headers: [("Content-Range", "bytes */\(size)")],
      details: [("ActualObjectSize", "\(size)")])
  }

  /// What Globus's refusal means to an S3 client. `signInURL` is where a person gets a new
  /// credential for the bucket.
  init(_ error: GlobusError, signInURL: String) {
    switch error {
    case .notFound: self.init(.noSuchKey)
    case .collectionNotFound:
      self.init(
        .noSuchBucket, "There is no such collection, or it is not visible to who signed in.")
    case .noHTTPS:
      self.init(
        .invalidBucketState,
        "This collection has no HTTPS server (Globus Connect Personal, or no subscription), so its "
          + "files can't be read from here. Transfer them to a collection that has one.")
    case .denied:
      self.init(
        .accessDenied,
        "Globus or the storage does not let who signed in do this. Ask the collection's owner, or "
          + "sign in as somebody else at \(signInURL)")
    case .expired: self = .expired(signInURL: signInURL)
    case .signInRequired(let requirements):
      self.init(
        .accessDenied,
        "Globus asks for a new sign-in: open \(signInURL)\(requirements.querySuffix)")
    case .noAccount:
      self.init(
        .accessDenied,
        "The storage behind this collection has no account for who signed in; signing in again does "
          + "not change that. Ask the collection's administrator for an account, or use the "
          + "credential of an identity that has one.")
    case .slowDown(let retryAfter):
      let seconds = min(
        max(retryAfter ?? Limits.retryAfterSeconds, 1), Limits.longestRetryAfterSeconds)
      self.init(.slowDown, headers: [("Retry-After", "\(seconds)")])
    case .unavailable(let cause):
      self = .unavailable(
        "Globus or the collection can't answer now. Please try again.", cause: cause)
    case .addressRefused(let cause):
      self.init(
        .accessDenied,
        "The collection's server is at an address that this service does not connect to: \(cause). "
          + "Its operator can allow it with --allow-private-upstream.", cause: cause)
    case .invalidRange: self.init(.invalidRange)
    case .folderTooLarge:
      self.init(
        .invalidRequest,
        "The folder has more than \(GlobusLimits.listingEntries) entries, which Globus does not list."
      )
    }
  }

  static func expired(signInURL: String) -> S3Error {
    S3Error(.expiredToken, "The credential has expired. Get a new one at \(signInURL)")
  }

  /// What is wrong with bytes that are no request; `status` and `reason` are the parser's.
  init(malformedStatus status: Int, reason: String) {
    let code: Code =
      switch status {
      case 405: .methodNotAllowed
      case 408: .requestTimeout
      case 413: .requestTooLarge
      case 414: .uriTooLong
      case 417: .expectationFailed
      case 431: .requestHeaderSectionTooLarge
      case 501: .notImplemented
      case 505: .versionNotSupported
      default: .badRequest
      }
    self.init(
      code, "\(code.message) (\(reason))",
      headers: status == 405 ? [("Allow", "DELETE, GET, HEAD, OPTIONS, POST, PUT")] : [],
      status: status)
  }
}
