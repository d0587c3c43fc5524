// What Transfer says of a collection (globus.md 2.1), reduced to what the frontend decides by.

/// A collection as described by Transfer's endpoint document.
struct CollectionDocument: Equatable, Sendable {
  enum Kind: Equatable, Sendable {
    case mapped, guest
    /// Connect Personal, or an endpoint that is no collection.
    case other
  }
  var kind: Kind
  var isHighAssurance: Bool
  var displayName: String?
  /// `https_server` as Transfer gave it.
  var httpsServer: String?

  /// Whether the scope `data_access` exists, and then is needed.
  var needsDataAccess: Bool { kind == .mapped && !isHighAssurance }
}

extension CollectionDocument: Decodable {
  private enum CodingKeys: String, CodingKey {
    case entityType = "entity_type"
    case isHighAssurance = "high_assurance"
    case displayName = "display_name"
    case httpsServer = "https_server"
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    kind =
      switch try fields.decodeIfPresent(String.self, forKey: .entityType) {
      case "GCSv5_mapped_collection": .mapped
      case "GCSv5_guest_collection": .guest
      default: .other
      }
    isHighAssurance = try fields.decodeIfPresent(Bool.self, forKey: .isHighAssurance) ?? false
    displayName = try fields.decodeIfPresent(String.self, forKey: .displayName)
    httpsServer = try fields.decodeIfPresent(String.self, forKey: .httpsServer)
  }
}

/// Where a collection's HTTPS server is: a name and port, over TLS always.
struct HTTPSServer: Equatable, Sendable {
  /// With `:port` unless it is 443.
  let authority: String

  /// Nil unless `text` is an https URL of a host name and perhaps a port, and nothing else.
  init?(_ text: String) {
    guard text.utf8.count <= GlobusLimits.hostBytes + "https://:65535/".utf8.count,
      let url = BaseURL(text), url.isSecure, !Self.isOddNumber(url.host)
    else { return nil }
    authority = url.authority
  }

  /// What a resolver takes for an IPv4 address although it is not written as one: 2130706433, 0x7f.1.
  private static func isOddNumber(_ host: String) -> Bool {
    let labels = host.split(separator: ".")
    guard let last = labels.last, last.hasPrefix("0x") || last.allSatisfy(\.isNumber) else {
      return false
    }
    return labels.count != 4 || labels.contains { UInt8($0)?.description != String($0) }
  }
}
