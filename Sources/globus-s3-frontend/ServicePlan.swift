// ServicePlan: the settings of `serve`, checked, before anything is opened.

import ArgumentParser
import Audit
import Crypto
import FoundationEssentials
import Frontend
import Glibc
import Reactor

struct ServicePlan: Sendable {
  var frontend: Configuration
  /// The base URL is http://localhost and the port that the first listener was given.
  var baseURLFollowsListener = false
  var listen: [ListenAddress]
  var operationsListen: ListenAddress?
  var tls: (certificate: String, key: String)?
  var auditDatabase: String
  var auditOnFailure: AuditLog.OnFailure = .refuse
  var auditRetention: Int?
  /// nil: the audit's own.
  var auditStrangersPerMinute: Int?
  var keyFile: String?
  var serverLimits = Server.Limits()
  var shutdownGraceSeconds = Limits.shutdownGraceSeconds
  var logFormat: LogFormat = .text
  /// What each flag of `serve` was set to, to tell what changed; empty for `local`.
  var settings: [String: [String]] = [:]
}

extension ServeFlags {
  /// Throws, with the line to print, at the first thing that must be changed.
  func plan(environment: [String: String]) throws(ConfigurationError) -> ServicePlan {
    let settings = try Settings(
      flags: given, environment: environment,
      configFile: config ?? environment["GLOBUS_S3_CONFIG"])
    let listen = try settings.addresses("listen")
    var plan = ServicePlan(
      frontend: try frontend(settings, environment),
      listen: listen.isEmpty ? [ListenAddress(host: "127.0.0.1", port: 8000)] : listen,
      auditDatabase: try settings.value("audit-db")
        ?? AuditLog.defaultDatabasePath(environment: environment))
    plan.settings = settings.all
    plan.logFormat = try settings.word("log-format", default: .text)
    if let seconds = try settings.value("shutdown-grace") {
      guard let seconds = Int(seconds), Limits.shutdownGraces ~= seconds else {
        throw settings.error(
          "shutdown-grace", "must be a number of seconds, 0 to \(Limits.shutdownGraces.upperBound)")
      }
      plan.shutdownGraceSeconds = seconds
    }
    plan.operationsListen = try settings.addresses("operations-listen").first
    plan.auditOnFailure = try settings.word("audit-on-failure", default: .refuse)
    if let days = try settings.value("audit-retention") {
      guard let days = Int(days), 1...36_500 ~= days else {
        throw settings.error("audit-retention", "must be a number of days, 1 to 36500")
      }
      plan.auditRetention = days
    }
    if let rows = try settings.value("audit-strangers-per-minute") {
      guard let rows = Int(rows), 1...1_000_000 ~= rows else {
        throw settings.error("audit-strangers-per-minute", "must be a number, 1 to 1000000")
      }
      plan.auditStrangersPerMinute = rows
    }
    plan.keyFile = try settings.value("key-file")
    plan.serverLimits = try settings.serverLimits()
    switch (try settings.value("tls-cert"), try settings.value("tls-key")) {
    case (let certificate?, let key?): plan.tls = (certificate, key)
    case (nil, nil): break
    default: throw ConfigurationError("--tls-cert and --tls-key go together; give both or none")
    }
    return plan
  }

  private func frontend(
    _ settings: Settings, _ environment: [String: String]
  ) throws(ConfigurationError) -> Configuration {
    let text = try settings.value("base-url") ?? "http://localhost:8000"
    guard let baseURL = BaseURL(text) else {
      throw settings.error("base-url", "must be http(s)://HOST or http(s)://HOST:PORT, no path")
    }
    guard let id = try settings.value("client-id") ?? environment["GLOBUS_CLIENT_ID"], !id.isEmpty
    else {
      throw ConfigurationError(
        "no Globus app: set GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET (register one at "
          + "https://app.globus.org/settings/developers with redirect \(baseURL)/?auth-callback)")
    }
    var configuration = Configuration(
      baseURL: baseURL, clientID: id, clientSecret: try clientSecret(settings, environment))
    configuration.signatures = try settings.word("signatures", default: .any)
    configuration.trustedProxies = try settings.networks("trusted-proxy")
    configuration.proxyProtocol = try settings.word("proxy-protocol", default: .off)
    if configuration.proxyProtocol == .trusted, configuration.trustedProxies.isEmpty {
      throw settings.error("proxy-protocol", "trusted needs a --trusted-proxy to be taken from")
    }
    configuration.allowPrivateUpstream = try settings.networks("allow-private-upstream")
    try settings.takeLimits(of: &configuration)
    configuration.upstreamCA = try settings.value("upstream-ca")
    if let file = configuration.upstreamCA, access(file, R_OK) != 0 {
      throw ConfigurationError("--upstream-ca names a file that can't be read: \(file)")
    }
    configuration.authURL = try service("AUTH", environment) ?? configuration.authURL
    configuration.transferURL = try service("TRANSFER", environment) ?? configuration.transferURL
    return configuration
  }

  /// Globus's own variable for the address of a service: https, or http on a loopback address.
  private func service(
    _ name: String, _ environment: [String: String]
  ) throws(ConfigurationError) -> String? {
    let variable = "GLOBUS_SDK_SERVICE_URL_\(name)"
    guard let text = environment[variable], !text.isEmpty else { return nil }
    guard let url = BaseURL(text),
      url.isSecure || url.host == "localhost" || url.host.hasPrefix("127.")
    else {
      throw ConfigurationError("\(variable) must be an https URL, or http on a loopback address")
    }
    return url.description
  }

  /// Overwrites the secret in the environment's block, so that it does not show in
  /// /proc/PID/environ.
  static func eraseClientSecret() {
    guard let value = getenv("GLOBUS_CLIENT_SECRET") else { return }
    memset(value, 0, strlen(value))
    unsetenv("GLOBUS_CLIENT_SECRET")
  }

  /// From the file, else from the environment.
  private func clientSecret(
    _ settings: Settings, _ environment: [String: String]
  ) throws(ConfigurationError) -> String {
    var secret = environment["GLOBUS_CLIENT_SECRET"] ?? ""
    if let file = try settings.value("client-secret-file") {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw ConfigurationError("--client-secret-file names a file that can't be read: \(file)")
      }
      secret = text.split(whereSeparator: \.isNewline).first.map { trim($0) } ?? ""
    }
    guard !secret.isEmpty else {
      throw ConfigurationError(
        "no secret for the Globus app: set GLOBUS_CLIENT_SECRET or --client-secret-file")
    }
    return secret
  }
}

extension Settings {
  func addresses(_ name: String) throws(ConfigurationError) -> [ListenAddress] {
    var addresses: [ListenAddress] = []
    for text in all(name) {
      guard let address = ListenAddress(argument: text) else {
        throw error(name, "must be HOST:PORT, such as 127.0.0.1:8000")
      }
      addresses.append(address)
    }
    return addresses
  }

  func networks(_ name: String) throws(ConfigurationError) -> [String] {
    let networks = all(name)
    for text in networks where !Configuration.isNetwork(text) {
      throw error(name, "must be a network such as 10.0.0.0/8 or fd00::/8, not '\(text)'")
    }
    return networks
  }
}
