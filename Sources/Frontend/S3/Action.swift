// Action: everything that the frontend answers, and the table that finds it.
//
// An action is found by method, level, the one sub-resource in the query and at times one header.
// Invariant: a query parameter that is not known is never dropped in silence: it may be the
// sub-resource that makes a GET something else.

enum Action: Sendable, Equatable {
  case headBucket, headObject, getObject
  case listBuckets, createBucket
  /// ListObjectsV2, or its first version.
  case listObjects(isVersion2: Bool)
  /// What clients ask before they work; by name. See `Probe`.
  case probe(String)
  /// Sign-in: `?auth` at the service or a bucket, and the way back from Globus.
  case authStart, authCallback
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
    case .listBuckets: "ListBuckets"
    case .createBucket: "CreateBucket"
    case .listObjects(let isVersion2): isVersion2 ? "ListObjectsV2" : "ListObjects"
    case .probe(let name): name
    case .authStart: "AuthStart"
    case .authCallback: "AuthCallback"
    case .unsupported(let name): name
    case .notImplemented, .methodNotAllowed: "Unknown"
    }
  }

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
    let copies = header("x-amz-copy-source") != nil
    if let methods {
      guard let name = methods[method] else {
        self = .methodNotAllowed(allow: methods.keys.sorted().joined(separator: ", "))
        return
      }
      if Probe.named(name) != nil {
        self = .probe(name)
        return
      }
      self = .unsupported(name == "UploadPart" && copies ? "UploadPartCopy" : name)
      return
    }
    self = Self.plain(method: method, level: level, query: query, copies: copies)
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
    method: String, level: RequestAddress.Level, query: Query, copies: Bool
  ) -> Action {
    switch (level, method) {
    case (.service, "GET"): .listBuckets
    case (.bucket, "GET"): .listObjects(isVersion2: query["list-type"] == "2")
    case (.bucket, "HEAD"): .headBucket
    case (.bucket, "PUT"): .createBucket
    case (.bucket, "DELETE"): .unsupported("DeleteBucket")
    case (.bucket, "POST"): .unsupported("PostObject")
    case (.object, "GET"): .getObject
    case (.object, "HEAD"): .headObject
    case (.object, "PUT"): .unsupported(copies ? "CopyObject" : "PutObject")
    case (.object, "DELETE"): .unsupported("DeleteObject")
    case (.bucket, "OPTIONS"), (.object, "OPTIONS"): .unsupported("Preflight")
    case (.service, _): .methodNotAllowed(allow: "GET")
    case (.bucket, _): .methodNotAllowed(allow: "DELETE, GET, HEAD, OPTIONS, POST, PUT")
    case (.object, _): .methodNotAllowed(allow: "DELETE, GET, HEAD, OPTIONS, PUT")
    }
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
