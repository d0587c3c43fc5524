// ForwardedFor: who the client is when the peer is a proxy.
//
// Only what a trusted peer says is believed: hops are taken from the right, and the first one that
// is not itself trusted is the client. What stands left of it anybody could have written.

import Glibc

/// An IP address as 16 bytes; IPv4 in its mapped form, so that one form compares.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
  let bytes: [UInt8]
  private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

  /// Nil unless `text` is a numeric address; a zone of IPv6 is dropped.
  init?(_ text: some StringProtocol) {
    var four = in_addr()
    var six = in6_addr()
    let text = String(text.prefix { $0 != "%" })
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = Self.mapped + withUnsafeBytes(of: four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      bytes = withUnsafeBytes(of: six) { Array($0) }
    } else {
      return nil
    }
  }

  var isIPv4: Bool { bytes.starts(with: Self.mapped) }

  var description: String {
    let address = isIPv4 ? Array(bytes.suffix(4)) : bytes
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      inet_ntop(
        isIPv4 ? AF_INET : AF_INET6, address, text.baseAddress, socklen_t(INET6_ADDRSTRLEN)
      ).map { String(cString: $0) } ?? ""
    }
  }
}

/// A network in CIDR notation (RFC 4632, RFC 4291 section 2.3); an address alone is a network of one.
struct Network: Sendable {
  private let address: IPAddress
  /// Of the 128 bits of the mapped form.
  private let prefix: Int

  init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(first) else { return nil }
    let bits = address.isIPv4 ? 32 : 128
    var prefix = bits
    if parts.count == 2 {
      guard let number = Int(parts[1]), 0...bits ~= number, !parts[1].hasPrefix("+") else {
        return nil
      }
      prefix = number
    }
    self.address = address
    self.prefix = prefix + 128 - bits
  }

  func contains(_ other: IPAddress) -> Bool {
    for (index, (a, b)) in zip(address.bytes, other.bytes).enumerated() {
      let bits = min(max(prefix - index * 8, 0), 8)
      if (a ^ b) & UInt8(truncatingIfNeeded: 0xff00 >> bits) != 0 { return false }
    }
    return true
  }
}

/// The proxies that are believed.
struct TrustedProxies: Sendable {
  private let networks: [Network]

  /// Nil when a text is no CIDR.
  init?(_ texts: [String]) {
    let networks = texts.compactMap(Network.init)
    guard networks.count == texts.count else { return nil }
    self.networks = networks
  }

  /// The client's address. `forwarded` are the X-Forwarded-For headers in order.
  func client(peer: String, forwarded: [String]) -> String {
    guard !networks.isEmpty, var client = IPAddress(peer), trusts(client) else { return peer }
    let hops = forwarded.joined(separator: ",").split(
      separator: ",", omittingEmptySubsequences: false)
    for hop in hops.suffix(Limits.forwardedHops).reversed() {
      guard let address = Self.address(hop) else { break }
      client = address
      if !trusts(address) { break }
    }
    return client.description
  }

  private func trusts(_ address: IPAddress) -> Bool {
    networks.contains { $0.contains(address) }
  }

  /// A hop: an address, at times with a port or in brackets.
  private static func address(_ hop: Substring) -> IPAddress? {
    let hop = hop.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
    if hop.first == "[" { return IPAddress(hop.dropFirst().prefix { $0 != "]" }) }
    return IPAddress(hop) ?? IPAddress(hop.prefix { $0 != ":" })
  }
}
