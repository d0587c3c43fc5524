// Probe: what clients ask about a bucket or an object before they work with it, and what an
// ordinary bucket without that configuration answers (GetBucketAcl, GetBucketVersioning, …).

/// The answer to a probe.
enum Probe: Sendable {
  case document(@Sendable (inout XML) -> Void)
  case refused(S3Error)

  /// By the action's name; nil for actions that are no probes.
  static func named(_ operation: String) -> Probe? { table[operation] }

  private static let table: [String: Probe] = [
    "GetBucketAccelerateConfiguration": .empty("AccelerateConfiguration"),
    "GetBucketAcl": acl,
    "GetBucketAnalyticsConfiguration": .notConfigured(.noConfiguration),
    "GetBucketCors": .notConfigured(.noSuchCORSConfiguration),
    "GetBucketEncryption": .notConfigured(.noEncryptionConfiguration),
    "GetBucketIntelligentTieringConfiguration": .notConfigured(.noConfiguration),
    "GetBucketInventoryConfiguration": .notConfigured(.noConfiguration),
    "GetBucketLifecycleConfiguration": .notConfigured(.noSuchLifecycleConfiguration),
    "GetBucketLocation": .empty("LocationConstraint"),
    "GetBucketLogging": .empty("BucketLoggingStatus"),
    "GetBucketMetricsConfiguration": .notConfigured(.noConfiguration),
    "GetBucketNotificationConfiguration": .empty("NotificationConfiguration"),
    "GetBucketOwnershipControls": .notConfigured(.noOwnershipControls),
    "GetBucketPolicy": .notConfigured(.noSuchBucketPolicy),
    "GetBucketPolicyStatus": .notConfigured(.noSuchBucketPolicy),
    "GetBucketReplication": .notConfigured(.noReplicationConfiguration),
    "GetBucketRequestPayment": .document { xml in
      xml.document("RequestPaymentConfiguration") { $0.element("Payer", "BucketOwner") }
    },
    "GetBucketTagging": .notConfigured(.noSuchTagSet),
    "GetBucketVersioning": .empty("VersioningConfiguration"),
    "GetBucketWebsite": .notConfigured(.noSuchWebsiteConfiguration),
    "GetObjectAcl": acl,
    "GetObjectLegalHold": noObjectLock,
    "GetObjectLockConfiguration": .notConfigured(.noObjectLockConfiguration),
    "GetObjectRetention": noObjectLock,
    "GetObjectTagging": .document { xml in
      xml.document("Tagging") { $0.element("TagSet") { _ in } }
    },
    "GetPublicAccessBlock": .notConfigured(.noSuchPublicAccessBlock),
    "ListBucketAnalyticsConfigurations": .emptyList("ListBucketAnalyticsConfigurationResult"),
    "ListBucketIntelligentTieringConfigurations":
      .emptyList("ListBucketIntelligentTieringConfigurationsOutput"),
    "ListBucketInventoryConfigurations": .emptyList("ListInventoryConfigurationsResult"),
    "ListBucketMetricsConfigurations": .emptyList("ListMetricsConfigurationsResult"),
  ]

  private static func notConfigured(_ code: S3Error.Code) -> Probe { .refused(S3Error(code)) }

  private static func empty(_ root: String) -> Probe {
    .document { $0.document(root) { _ in } }
  }

  private static func emptyList(_ root: String) -> Probe {
    .document { xml in xml.document(root) { $0.element("IsTruncated", "false") } }
  }

  /// As S3 says it where no object can have a lock.
  private static let noObjectLock = Probe.refused(
    S3Error(.invalidRequest, "Bucket is missing Object Lock Configuration"))

  private static let acl = Probe.document { xml in
    xml.document("AccessControlPolicy") { xml in
      xml.element("Owner") { $0.element("ID", owner) }
      xml.element("AccessControlList") { xml in
        xml.element("Grant") { xml in
          xml.element(
            "Grantee",
            attributes: "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
              + "xsi:type=\"CanonicalUser\""
          ) { $0.element("ID", owner) }
          xml.element("Permission", "FULL_CONTROL")
        }
      }
    }
  }

  /// The id of every bucket's and object's owner: Globus has none that S3 would know.
  static let owner = "globus"
}
