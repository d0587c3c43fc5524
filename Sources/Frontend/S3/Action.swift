// Action: everything that the frontend answers, and the table that finds it.
//
// An action is found by method, level, the one sub-resource in the query and at times one header.
// Invariant: a query parameter that is not known is never dropped in silence: it may be the
// sub-resource that makes a GET something else.

enum Action: Sendable, Equatable {
  case headBucket, headObject, getObject, getObjectAttributes
  case listBuckets, createBucket, deleteBucket, listMultipartUploads
  case listObjects(ListingForm)
  /// What clients ask before they work; by name. See `Probe`.
  case probe(String)
  /// PutBucketAcl or PutObjectAcl of the one ACL that there is.
  case keepACL(String)
  /// Sign-in: `?auth` at the service or a bucket, and the way back from Globus.
  case authStart, authCallback
  /// A browser's question before a request to another origin, which has no name in the S3 API.
  case preflight
  /// Known to S3 under this name, and not done here.
  case unsupported(String)
  /// A sub-resource or parameter that is not known here, by name.
  case notImplemented(String)
  /// A method that makes no sense on this resource; the text lists those that do.
  case methodNotAllowed(allow: String)

  /// The name in the audit.
  var operation: String {
    switch self {
    case .headBucket: "HeadBucket"
    case .headObject: "HeadObject"
    case .getObject: "GetObject"
    case .getObjectAttributes: "GetObjectAttributes"
    case .listBuckets: "ListBuckets"
    case .createBucket: "CreateBucket"
    case .deleteBucket: "DeleteBucket"
    case .listMultipartUploads: "ListMultipartUploads"
    case .listObjects(let form): form.operation
    case .probe(let name), .keepACL(let name), .unsupported(let name): name
    case .authStart: "AuthStart"
    case .authCallback: "AuthCallback"
    case .preflight, .notImplemented, .methodNotAllowed: "Unknown"
    }
  }

  /// Why it is done for nobody; nil for what is done here.
  var refusal: S3Error? {
    switch self {
    case .deleteBucket:
      S3Error(
        .accessDenied, "A bucket is a Globus collection: its owner can delete it in Globus only.")
    case .unsupported("PutBucketAcl"), .unsupported("PutObjectAcl"), .unsupported("CreateBucket"):
      S3Error(
        .notImplemented,
        "Who may do what is decided in Globus: the only ACL that can be put is \"private\", in the "
          + "header x-amz-acl, and object lock can't be enabled.")
    case .unsupported(let name):
      S3Error(.notImplemented, "\(name) is not supported here.")
    case .notImplemented(let name):
      S3Error(
        .notImplemented, "The query parameter or sub-resource \"\(name)\" is not implemented here.",
        details: [("ResourceType", name)])
    case .preflight:
      S3Error(.notImplemented, "Requests of pages of other origins (CORS) are not supported here.")
    case .methodNotAllowed(let allow):
      S3Error(.methodNotAllowed, headers: [("Allow", allow)])
    default: nil
    }
  }

  /// Whether it makes no sense without a body, so that one whose length is not told is an error.
  var needsLength: Bool { self == .unsupported("PutObject") || self == .unsupported("UploadPart") }

  /// The action of a request. `header` gives the value of a header of the request.
  init(
    method: String, level: RequestAddress.Level, query: Query, header: (String) -> String?
  ) {
    if let signIn = Self.signIn(method: method, level: level, query: query) {
      self = signIn
      return
    }
    let table = level == .object ? Self.objectSubresources : Self.bucketSubresources
    var methods: [String: String]?
    for parameter in query.parameters {
      if methods == nil, level != .service, let found = table[parameter.name] {
        methods = found
      } else if !Self.isOrdinary(parameter.name) {
        self = .notImplemented(parameter.name)
        return
      }
    }
    guard let methods else {
      self = Self.plain(method: method, level: level, query: query, header: header)
      return
    }
    guard let name = methods[method] else {
      self = .methodNotAllowed(allow: methods.keys.sorted().joined(separator: ", "))
      return
    }
    self = Self.subresource(name, query: query, header: header)
  }

  private static func signIn(
    method: String, level: RequestAddress.Level, query: Query
  ) -> Action? {
    let action: Action
    if level != .object, query.contains("auth") {
      action = .authStart
    } else if level == .service, query.contains("auth-callback") {
      action = .authCallback
    } else {
      return nil
    }
    return method == "GET" ? action : .methodNotAllowed(allow: "GET")
  }

  private static func plain(
    method: String, level: RequestAddress.Level, query: Query, header: (String) -> String?
  ) -> Action {
    switch (level, method) {
    case (.service, "GET"): .listBuckets
    case (.bucket, "GET"): .listObjects(query["list-type"] == nil ? .version1 : .version2)
    case (.bucket, "HEAD"): .headBucket
    case (.bucket, "PUT"): keepsAll(header) ? .createBucket : .unsupported("CreateBucket")
    case (.bucket, "DELETE"): .deleteBucket
    case (.bucket, "POST"): .unsupported("PostObject")
    case (.object, "GET"): .getObject
    case (.object, "HEAD"): .headObject
    case (.object, "PUT"):
      .unsupported(header("x-amz-copy-source") == nil ? "PutObject" : "CopyObject")
    case (.object, "DELETE"): .unsupported("DeleteObject")
    case (.bucket, "OPTIONS"), (.object, "OPTIONS"): .preflight
    case (.service, _): .methodNotAllowed(allow: "GET")
    case (.bucket, _): .methodNotAllowed(allow: "DELETE, GET, HEAD, OPTIONS, POST, PUT")
    case (.object, _): .methodNotAllowed(allow: "DELETE, GET, HEAD, OPTIONS, PUT")
    }
  }

  private static func subresource(
    _ name: String, query: Query, header: (String) -> String?
  ) -> Action {
    switch name {
    case "GetObjectAttributes": return .getObjectAttributes
    case "ListMultipartUploads": return .listMultipartUploads
    case "ListObjectVersions": return .listObjects(.versions)
    case "PutBucketAcl", "PutObjectAcl":
      let isCanned = header("x-amz-acl") != nil && !hasBody(header)
      return isCanned && keepsAll(header) ? .keepACL(name) : .unsupported(name)
    case "UploadPart" where header("x-amz-copy-source") != nil:
      return .unsupported("UploadPartCopy")
    default:
      let name = query.contains("id") ? name : configurationLists[name] ?? name
      return Probe.named(name) == nil ? .unsupported(name) : .probe(name)
    }
  }

  /// Whether no header asks for rights or a lock that nothing here has.
  private static func keepsAll(_ header: (String) -> String?) -> Bool {
    let grants = ["full-control", "read", "read-acp", "write", "write-acp"]
    return ["private", "bucket-owner-full-control"].contains(header("x-amz-acl") ?? "private")
      && !grants.contains { header("x-amz-grant-\($0)") != nil }
      && header("x-amz-bucket-object-lock-enabled")?.lowercased() != "true"
  }

  private static func hasBody(_ header: (String) -> String?) -> Bool {
    header("transfer-encoding") != nil || header("content-length") ?? "0" != "0"
  }

  /// Parameters that belong to an action without choosing it. Names in `x-` are the client's own
  /// (AWS: they are for access logs), but for what presigned URLs have.
  private static func isOrdinary(_ name: String) -> Bool {
    ordinary.contains(name) || name.hasPrefix("x-") || name.hasPrefix("X-Amz-")
  }

  private static let ordinary: Set<String> = [
    "AWSAccessKeyId", "Expires", "Signature", "id",
    "bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner",
    "key-marker", "list-type", "marker", "max-buckets", "max-keys", "max-parts", "max-uploads",
    "part-number-marker", "partNumber", "prefix", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "select-type", "start-after", "upload-id-marker",
    "version-id-marker", "versionId",
  ]
}

// The sub-resources of the S3 API (model 2006-03-01): for each, what a method on it is called.
extension Action {
  /// The names of all: a parameter that chooses the action must be under the signature.
  static let subresources = Set(bucketSubresources.keys).union(objectSubresources.keys)

  /// What is called otherwise when the query has no `id` of one configuration.
  private static let configurationLists = [
    "GetBucketAnalyticsConfiguration": "ListBucketAnalyticsConfigurations",
    "GetBucketIntelligentTieringConfiguration": "ListBucketIntelligentTieringConfigurations",
    "GetBucketInventoryConfiguration": "ListBucketInventoryConfigurations",
    "GetBucketMetricsConfiguration": "ListBucketMetricsConfigurations",
  ]

  private static let bucketSubresources: [String: [String: String]] = [
    "abac": ["GET": "GetBucketAbac", "PUT": "PutBucketAbac"],
    "accelerate": [
      "GET": "GetBucketAccelerateConfiguration", "PUT": "PutBucketAccelerateConfiguration",
    ],
    "acl": ["GET": "GetBucketAcl", "PUT": "PutBucketAcl"],
    "analytics": [
      "GET": "GetBucketAnalyticsConfiguration", "PUT": "PutBucketAnalyticsConfiguration",
      "DELETE": "DeleteBucketAnalyticsConfiguration",
    ],
    "cors": ["GET": "GetBucketCors", "PUT": "PutBucketCors", "DELETE": "DeleteBucketCors"],
    "delete": ["POST": "DeleteObjects"],
    "encryption": [
      "GET": "GetBucketEncryption", "PUT": "PutBucketEncryption",
      "DELETE": "DeleteBucketEncryption",
    ],
    "intelligent-tiering": [
      "GET": "GetBucketIntelligentTieringConfiguration",
      "PUT": "PutBucketIntelligentTieringConfiguration",
      "DELETE": "DeleteBucketIntelligentTieringConfiguration",
    ],
    "inventory": [
      "GET": "GetBucketInventoryConfiguration", "PUT": "PutBucketInventoryConfiguration",
      "DELETE": "DeleteBucketInventoryConfiguration",
    ],
    "lifecycle": [
      "GET": "GetBucketLifecycleConfiguration", "PUT": "PutBucketLifecycleConfiguration",
      "DELETE": "DeleteBucketLifecycle",
    ],
    "location": ["GET": "GetBucketLocation"],
    "logging": ["GET": "GetBucketLogging", "PUT": "PutBucketLogging"],
    "metadataConfiguration": [
      "GET": "GetBucketMetadataConfiguration", "POST": "CreateBucketMetadataConfiguration",
      "DELETE": "DeleteBucketMetadataConfiguration",
    ],
    "metadataTable": [
      "GET": "GetBucketMetadataTableConfiguration",
      "POST": "CreateBucketMetadataTableConfiguration",
      "DELETE": "DeleteBucketMetadataTableConfiguration",
    ],
    "metrics": [
      "GET": "GetBucketMetricsConfiguration", "PUT": "PutBucketMetricsConfiguration",
      "DELETE": "DeleteBucketMetricsConfiguration",
    ],
    "notification": [
      "GET": "GetBucketNotificationConfiguration", "PUT": "PutBucketNotificationConfiguration",
    ],
    "object-lock": ["GET": "GetObjectLockConfiguration", "PUT": "PutObjectLockConfiguration"],
    "ownershipControls": [
      "GET": "GetBucketOwnershipControls", "PUT": "PutBucketOwnershipControls",
      "DELETE": "DeleteBucketOwnershipControls",
    ],
    "policy": [
      "GET": "GetBucketPolicy", "PUT": "PutBucketPolicy", "DELETE": "DeleteBucketPolicy",
    ],
    "policyStatus": ["GET": "GetBucketPolicyStatus"],
    "publicAccessBlock": [
      "GET": "GetPublicAccessBlock", "PUT": "PutPublicAccessBlock",
      "DELETE": "DeletePublicAccessBlock",
    ],
    "replication": [
      "GET": "GetBucketReplication", "PUT": "PutBucketReplication",
      "DELETE": "DeleteBucketReplication",
    ],
    "requestPayment": ["GET": "GetBucketRequestPayment", "PUT": "PutBucketRequestPayment"],
    "session": ["GET": "CreateSession"],
    "tagging": [
      "GET": "GetBucketTagging", "PUT": "PutBucketTagging", "DELETE": "DeleteBucketTagging",
    ],
    "uploads": ["GET": "ListMultipartUploads"],
    "versioning": ["GET": "GetBucketVersioning", "PUT": "PutBucketVersioning"],
    "versions": ["GET": "ListObjectVersions"],
    "website": [
      "GET": "GetBucketWebsite", "PUT": "PutBucketWebsite", "DELETE": "DeleteBucketWebsite",
    ],
  ]

  private static let objectSubresources: [String: [String: String]] = [
    "acl": ["GET": "GetObjectAcl", "PUT": "PutObjectAcl"],
    "attributes": ["GET": "GetObjectAttributes"],
    "legal-hold": ["GET": "GetObjectLegalHold", "PUT": "PutObjectLegalHold"],
    "renameObject": ["PUT": "RenameObject"],
    "restore": ["POST": "RestoreObject"],
    "retention": ["GET": "GetObjectRetention", "PUT": "PutObjectRetention"],
    "select": ["POST": "SelectObjectContent"],
    "tagging": [
      "GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging",
    ],
    "torrent": ["GET": "GetObjectTorrent"],
    "uploadId": [
      "GET": "ListParts", "PUT": "UploadPart", "POST": "CompleteMultipartUpload",
      "DELETE": "AbortMultipartUpload",
    ],
    "uploads": ["POST": "CreateMultipartUpload"],
  ]
}
