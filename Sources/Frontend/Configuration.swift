// Configuration: everything that an operator decides, as `serve` and `local` hand it over.

import Reactor

/// How signatures of header-signed requests are treated. Presigned URLs always verify.
public enum SignaturePolicy: String, Sendable, CaseIterable {
  /// Recorded as verified or unverified, refused only for strict credentials.
  case any
  /// Always verified; credentials minted are strict.
  case verify
}

/// From whom headers of the PROXY protocol are taken.
public enum ProxyProtocol: String, Sendable, CaseIterable {
  /// Nobody.
  case off
  /// The trusted proxies, which must send one.
  case trusted
}

public struct Configuration: Sendable {
  /// What users and the OAuth redirect use; no trailing slash.
  public var baseURL: BaseURL
  public var clientID: String
  public var clientSecret: String
  public var signatures: SignaturePolicy = .any
  /// CIDR texts of peers whose X-Forwarded-For is believed.
  public var trustedProxies: [String] = []
  /// Whether connections of these peers begin with a header of the PROXY protocol.
  public var proxyProtocol = ProxyProtocol.off
  /// PEM file that Globus and collections are trusted by; nil: the system's.
  public var upstreamCA: String?
  /// CIDR texts of private networks where collections may be.
  public var allowPrivateUpstream: [String] = []
  /// How long Transfer and collections may be silent, before an answer's head and within a body.
  public var upstreamSilenceMilliseconds = GlobusLimits.firstByteMilliseconds
  /// Requests served at once; more are told to slow down.
  public var maxRequestsInFlight = Limits.requestsInFlight
  /// Of one credential; more wait for a while.
  public var maxRequestsPerCredential = Limits.requestsPerCredential
  /// Globus Auth and Transfer, without trailing slash: `GLOBUS_SDK_SERVICE_URL_AUTH`, `…_TRANSFER`.
  public var authURL = "https://auth.globus.org"
  public var transferURL = "https://transfer.api.globus.org"

  public init(baseURL: BaseURL, clientID: String, clientSecret: String) {
    self.baseURL = baseURL
    self.clientID = clientID
    self.clientSecret = clientSecret
  }
}

/// An `http` or `https` URL of scheme, host and optional port only.
public struct BaseURL: Sendable, CustomStringConvertible {
  public let scheme: String
  /// Lower case, without port.
  public let host: String
  /// As in the URL; nil when it is the scheme's own.
  public let port: UInt16?

  /// Nil unless the text is of that form; a trailing slash is dropped.
  public init?(_ text: String) {
    var rest = Substring(text)
    guard let colon = rest.firstRange(of: "://") else { return nil }
    scheme = rest[..<colon.lowerBound].lowercased()
    guard scheme == "http" || scheme == "https" else { return nil }
    rest = rest[colon.upperBound...]
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), BaseURL.isHost(parts[0]) else { return nil }
    host = parts[0].lowercased()
    if parts.count == 2 {
      guard let number = UInt16(parts[1]), number > 0 else { return nil }
      port = number == (scheme == "https" ? 443 : 80) ? nil : number
    } else {
      port = nil
    }
  }

  /// Host with port, as in a Host header.
  public var authority: String { port.map { "\(host):\($0)" } ?? host }
  public var description: String { "\(scheme)://\(authority)" }
  public var isSecure: Bool { scheme == "https" }

  private static func isHost(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.count <= 253
      && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
          && label.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x2d
          }
      }
  }
}

extension Configuration {
  /// Whether the text is a network that `trustedProxies` and `allowPrivateUpstream` take.
  public static func isNetwork(_ text: String) -> Bool { Network(text) != nil }
}
