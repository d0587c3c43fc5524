import Testing

@testable import Frontend

@Suite struct GatewayForwardedTests {
  @Test(arguments: [
    ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
    ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false),
    ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false),
    ("192.168.1.128/25", "192.168.1.127", false), ("192.168.1.128/25", "192.168.1.200", true),
    ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
    ("::/0", "10.0.0.1", true), ("10.0.0.0/8", "::ffff:10.0.0.1", true),
    ("fe80::/10", "fe80::1%eth0", true),
  ])
  func networks(_ network: String, _ address: String, _ contains: Bool) throws {
    let network = try #require(Network(network))
    #expect(network.contains(try #require(IPAddress(address))) == contains)
  }

  @Test(arguments: [
    "", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "host",
    "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/8 ",
  ])
  func noNetworks(_ text: String) {
    #expect(Network(text) == nil)
    #expect(TrustedProxies([text]) == nil)
  }

  @Test(arguments: [
    ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"), ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
    ("10.0.0.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
    ("10.0.0.1", ["198.51.100.1", "192.0.2.7,10.0.0.2"], "192.0.2.7"),
    ("10.0.0.1", [], "10.0.0.1"), ("10.0.0.1", ["10.0.0.3,10.0.0.2"], "10.0.0.3"),
    ("10.0.0.1", ["192.0.2.7, <script>"], "10.0.0.1"), ("10.0.0.1", ["1.2.3.4,"], "10.0.0.1"),
    ("10.0.0.1", ["192.0.2.7, garbage, 10.0.0.2"], "10.0.0.2"),
    ("10.0.0.1", ["192.0.2.7:4711"], "192.0.2.7"),
    ("10.0.0.1", ["[2001:DB8::1]:80"], "2001:db8::1"),
    ("10.0.0.1", ["2001:db8::2"], "2001:db8::2"), ("::ffff:10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
  ])
  func theRightmostUntrustedHop(_ peer: String, _ headers: [String], _ client: String) throws {
    let proxies = try #require(TrustedProxies(["10.0.0.0/8"]))
    #expect(proxies.client(peer: peer, forwarded: headers) == client)
  }

  @Test func hopsAreBounded() throws {
    let proxies = try #require(TrustedProxies(["10.0.0.0/8"]))
    let chain = { (count: Int) in
      (["192.0.2.7"] + Array(repeating: "10.0.0.2", count: count)).joined(separator: ",")
    }
    let within = proxies.client(peer: "10.0.0.1", forwarded: [chain(Limits.forwardedHops - 1)])
    let beyond = proxies.client(peer: "10.0.0.1", forwarded: [chain(Limits.forwardedHops)])
    #expect(within == "192.0.2.7" && beyond == "10.0.0.2")
  }
}
