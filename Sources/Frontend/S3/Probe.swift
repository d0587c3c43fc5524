// Probe: what clients ask about a bucket or an object before they work with it, and what an
// ordinary bucket without that configuration answers (GetBucketAcl, GetBucketVersioning, …).

/// The answer to a probe.
enum Probe: Sendable {
  case document(@Sendable (inout XML) -> Void)
  case notConfigured(S3Error.Code)

  /// By the action's name; nil for actions that are no probes.
  static func named(_ operation: String) -> Probe? { table[operation] }

  private static let table: [String: Probe] = [
    "GetBucketAccelerateConfiguration": .empty("AccelerateConfiguration"),
    "GetBucketAcl": acl,
    "GetBucketCors": .notConfigured(.noSuchCORSConfiguration),
    "GetBucketEncryption": .notConfigured(.noEncryptionConfiguration),
    "GetBucketLifecycleConfiguration": .notConfigured(.noSuchLifecycleConfiguration),
    "GetBucketLocation": .empty("LocationConstraint"),
    "GetBucketLogging": .empty("BucketLoggingStatus"),
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
    "GetObjectLockConfiguration": .notConfigured(.noObjectLockConfiguration),
    "GetPublicAccessBlock": .notConfigured(.noSuchPublicAccessBlock),
  ]

  private static func empty(_ root: String) -> Probe {
    .document { $0.document(root) { _ in } }
  }

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
