// FaultSettings: what a stand-in is told to do wrong, as the JSON document of `/local/faults`.
//
// Every field may be absent. docs/local.md has the table of them.

import FoundationEssentials

struct FaultSettings: Decodable, Sendable {
  var auth: [AuthFault]?
  var transfer: [TransferFault]?
  var data: [DataFault]?
  var collections: [CollectionFault]?
  /// Each use of a refresh token gives a new one and ends the old one.
  var rotateRefreshTokens: Bool?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case auth, transfer, data, collections
    case rotateRefreshTokens = "rotate_refresh_tokens"
  }

  /// Throws, for the person who wrote it, what is not understood.
  init(json: [UInt8]) throws(FaultSettingsError) {
    let data = Data(json)
    do {
      let names = try JSONDecoder().decode(Names.self, from: data).names
      let unknown = names.subtracting(FaultSettings.names).sorted()
      guard unknown.isEmpty else {
        throw FaultSettingsError(message: "unknown: \(unknown.joined(separator: ", "))")
      }
      self = try JSONDecoder().decode(FaultSettings.self, from: data)
    } catch {
      throw error as? FaultSettingsError ?? FaultSettingsError(message: "\(error)")
    }
  }

  init() {}

  private static let names: Set<String> = Set(
    CodingKeys.allCases.map(\.rawValue) + Trigger.CodingKeys.allCases.map(\.rawValue)
      + AuthFault.CodingKeys.allCases.map(\.rawValue)
      + TransferFault.CodingKeys.allCases.map(\.rawValue)
      + DataFault.CodingKeys.allCases.map(\.rawValue)
      + CollectionFault.CodingKeys.allCases.map(\.rawValue)
      + SessionPolicy.CodingKeys.allCases.map(\.rawValue))
}

struct FaultSettingsError: Error { let message: String }

/// When and how often a fault occurs, and what it costs.
struct Trigger: Decodable, Sendable {
  /// UUID in lower case; any collection when absent.
  let collection: String?
  /// Of a file or folder, compared as bytes; any when absent.
  let path: String?
  /// How many requests it is for; every one when absent.
  var times: Int?
  let delayMilliseconds: UInt64?
  /// Of a 429 or 503.
  let retryAfter: Int?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case collection, path, times
    case delayMilliseconds = "delay_ms"
    case retryAfter = "retry_after"
  }

  func isFor(collection: String?, path: String?) -> Bool {
    times != 0 && (self.collection == nil || self.collection == collection)
      && (self.path == nil || self.path.map { Array($0.utf8) } == path.map { Array($0.utf8) })
  }
}

/// An answer of Auth's: `ok` is the right one, late.
struct AuthFault: Decodable, Sendable {
  enum Answer: String, Decodable, Sendable {
    case ok, unavailable, page
    case rateLimited = "rate_limited"
    case invalidGrant = "invalid_grant"
  }
  /// The last part of the endpoint's path: token, userinfo, authorize; any when absent.
  let endpoint: String?
  let answer: Answer
  var trigger: Trigger

  enum CodingKeys: String, CodingKey, CaseIterable { case endpoint, answer }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    endpoint = try fields.decodeIfPresent(String.self, forKey: .endpoint)
    answer = try fields.decode(Answer.self, forKey: .answer)
    trigger = try Trigger(from: decoder)
  }
}

/// An answer of Transfer's.
struct TransferFault: Decodable, Sendable {
  enum Answer: String, Decodable, Sendable {
    case ok, unavailable, page, timeout, disconnected, raw
    case rateLimited = "rate_limited"
    case authenticationFailed = "authentication_failed"
    case consentRequired = "consent_required"
    case endpointError = "endpoint_error"
    case notFound = "not_found"
    case permissionDenied = "permission_denied"
  }
  /// endpoint, stat, ls or endpoint_search; any when absent.
  let operation: String?
  let answer: Answer
  /// Of a raw answer: a body of `body`, then `filler` so many times, then `end`.
  let status: Int?
  let body, filler, end: String?
  let fillers: Int?
  var trigger: Trigger

  enum CodingKeys: String, CodingKey, CaseIterable {
    case operation, answer, status, body, filler, end, fillers
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    operation = try fields.decodeIfPresent(String.self, forKey: .operation)
    answer = try fields.decode(Answer.self, forKey: .answer)
    status = try fields.decodeIfPresent(Int.self, forKey: .status)
    body = try fields.decodeIfPresent(String.self, forKey: .body)
    filler = try fields.decodeIfPresent(String.self, forKey: .filler)
    end = try fields.decodeIfPresent(String.self, forKey: .end)
    fillers = try fields.decodeIfPresent(Int.self, forKey: .fillers)
    trigger = try Trigger(from: decoder)
  }
}

/// Answers of a collection's HTTPS server: one of `nodes` for each connection in turn, and the same
/// one for all that comes by that connection.
struct DataFault: Decodable, Sendable {
  enum Answer: String, Decodable, Sendable {
    case ok
    /// The bodies of a 404 that are on record (globus.md 3.4).
    case missing = "A"
    case missingAtOpen = "B"
    case shutdown = "C"
    case managerError = "D"
    case managerGone = "E"
    case page, redirect, unauthorized, forbidden, error, unavailable
    case rateLimited = "rate_limited"
  }
  let nodes: [Answer]
  var trigger: Trigger

  enum CodingKeys: String, CodingKey, CaseIterable { case nodes }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    nodes = try fields.decode([Answer].self, forKey: .nodes)
    guard !nodes.isEmpty else {
      throw FaultSettingsError(message: "nodes: at least one")
    }
    trigger = try Trigger(from: decoder)
  }
}

/// What is different about a collection.
struct CollectionFault: Decodable, Sendable {
  /// UUID in lower case.
  var id: String
  var kind: LocalGlobusConfiguration.Collection.Kind?
  /// What Transfer says the HTTPS server is.
  var httpsServer: String?
  /// Its HTTPS server is gone, as is the subscription.
  var subscriptionLapsed: Bool?
  /// The app itself does not see it, people do.
  var hidden: Bool?
  /// Its HTTPS server does without `data_access`.
  var httpsWithoutDataAccess: Bool?
  /// The storage has no account for anybody.
  var noAccount: Bool?
  var session: SessionPolicy?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case id, kind, hidden, session
    case httpsServer = "https_server"
    case subscriptionLapsed = "subscription_lapsed"
    case httpsWithoutDataAccess = "https_without_data_access"
    case noAccount = "no_account"
  }
}

/// The names of all fields of a document.
private struct Names: Decodable {
  var names: Set<String> = []

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    if let fields = try? decoder.container(keyedBy: Name.self) {
      for name in fields.allKeys {
        names.insert(name.stringValue)
        names.formUnion(try fields.decode(Names.self, forKey: name).names)
      }
    } else if var elements = try? decoder.unkeyedContainer() {
      while !elements.isAtEnd { names.formUnion(try elements.decode(Names.self).names) }
    }
  }
}
