// LimitFlags: the limits that an operator may change, as flags of `serve` and of `local`.
//
// The defaults shown are those of the modules that keep the limits; docs/limits.md has all limits.

import ArgumentParser
import Frontend
import Reactor

struct LimitFlags: ParsableArguments {
  private static let server = Server.Limits()
  private static let frontend = Configuration(
    baseURL: BaseURL("http://localhost")!, clientID: "", clientSecret: "")

  @Option(
    help: seconds("From a request's first byte to its head's last", server.headTimeoutMilliseconds))
  var headTimeout: [String] = []
  @Option(help: seconds("A connection without a request", server.idleTimeoutMilliseconds))
  var idleTimeout: [String] = []
  @Option(help: seconds("Between two reads of a request's body", server.bodyTimeoutMilliseconds))
  var bodyTimeout: [String] = []
  @Option(help: seconds("While a client takes no byte", server.writeStallMilliseconds))
  var writeStallTimeout: [String] = []
  @Option(
    help: seconds(
      "While Globus or a collection says nothing", frontend.upstreamSilenceMilliseconds))
  var upstreamTimeout: [String] = []
  @Option(help: count("Connections of a listener; then the longest idle go", server.maxConnections))
  var maxConnections: [String] = []
  @Option(
    help: count(
      "Of one address, but for trusted proxies; 0: any number", server.maxConnectionsPerAddress))
  var maxConnectionsPerAddress: [String] = []
  @Option(help: count("Requests at once; more are told to slow down", frontend.maxRequestsInFlight))
  var maxRequestsInFlight: [String] = []
  @Option(
    help: count("Of one credential; more wait for a while", frontend.maxRequestsPerCredential))
  var maxRequestsPerCredential: [String] = []

  /// The flags' names.
  static let names = Set(ServeFlags.options(of: LimitFlags()).map(\.name))

  /// Throws what is wrong with a value.
  func check() throws(ConfigurationError) {
    var frontend = Self.frontend
    let settings = try settings()
    _ = try settings.serverLimits()
    try settings.takeLimits(of: &frontend)
  }

  /// For a command whose only settings are flags.
  func settings() throws(ConfigurationError) -> Settings {
    let given = ServeFlags.options(of: self).map { ($0.name, $0.value.wrappedValue) }
    return try Settings(
      flags: Dictionary(uniqueKeysWithValues: given), environment: [:], configFile: nil)
  }

  private static func seconds(_ what: String, _ milliseconds: UInt32) -> ArgumentHelp {
    ArgumentHelp("\(what). (default: \(milliseconds / 1000))", valueName: "seconds")
  }

  private static func count(_ what: String, _ number: UInt32) -> ArgumentHelp {
    ArgumentHelp("\(what). (default: \(number))", valueName: "number")
  }
}

extension Settings {
  /// The limits of each listener, the defaults where nothing is set.
  func serverLimits() throws(ConfigurationError) -> Server.Limits {
    var limits = Server.Limits()
    try take("head-timeout", &limits.headTimeoutMilliseconds)
    try take("idle-timeout", &limits.idleTimeoutMilliseconds)
    try take("body-timeout", &limits.bodyTimeoutMilliseconds)
    try take("write-stall-timeout", &limits.writeStallMilliseconds)
    try take("max-connections", 1...1_000_000, &limits.maxConnections)
    try take("max-connections-per-address", 0...1_000_000, &limits.maxConnectionsPerAddress)
    return limits
  }

  /// Sets the limits of the gateway that are given.
  func takeLimits(of frontend: inout Configuration) throws(ConfigurationError) {
    try take("upstream-timeout", &frontend.upstreamSilenceMilliseconds)
    try take("max-requests-in-flight", 1...1_000_000, &frontend.maxRequestsInFlight)
    try take("max-requests-per-credential", 1...1_000_000, &frontend.maxRequestsPerCredential)
  }

  /// A duration in seconds, decimals allowed.
  private func take(_ name: String, _ milliseconds: inout UInt32) throws(ConfigurationError) {
    guard let text = try value(name) else { return }
    guard let seconds = Double(text), 0.01...86_400 ~= seconds else {
      throw error(name, "must be a number of seconds, 0.01 to 86400")
    }
    milliseconds = UInt32(seconds * 1000)
  }

  private func take(
    _ name: String, _ range: ClosedRange<UInt32>, _ number: inout UInt32
  ) throws(ConfigurationError) {
    guard let text = try value(name) else { return }
    guard let given = UInt32(text), range ~= given else {
      throw error(name, "must be a number, \(range.lowerBound) to \(range.upperBound)")
    }
    number = given
  }
}
