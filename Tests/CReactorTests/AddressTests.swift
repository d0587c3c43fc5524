// Which addresses an upstream may have: the pure functions by their C names, then the whole way.

import CReactor
import Glibc
import Testing

private struct Address {
  var bytes = [UInt8](repeating: 0, count: 16)

  init(_ text: String) {
    var ipv4 = in_addr()
    var ipv6 = in6_addr()
    if inet_pton(AF_INET, text, &ipv4) == 1 {
      bytes = Array(repeating: 0, count: 10) + [0xff, 0xff]
      withUnsafeBytes(of: &ipv4) { bytes += $0 }
    } else {
      precondition(inet_pton(AF_INET6, text, &ipv6) == 1)
      withUnsafeBytes(of: &ipv6) { bytes = Array($0) }
    }
  }

  var isPublic: Bool { addressIsPublic(bytes) }
}

@_silgen_name("address_is_public")
private func addressIsPublic(_ bytes: UnsafePointer<UInt8>) -> Bool

@Suite(.serialized) struct AddressTests {
  @Test(arguments: [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
    "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "172.16.0.0",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
    "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::127.0.0.1",
    "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:1ff:ffff::1", "2001:db8::1",
    "2002:7f00:1::1", "3fff::1", "3fff:fff::1", "4000::1", "fc00::1", "fdff::1", "fe80::1",
    "febf::1", "fec0::1", "ff02::1", "1fff::1",
  ])
  func theseAreNotPublic(text: String) { #expect(!Address(text).isPublic) }

  @Test(arguments: [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.0.3.0", "192.88.98.255", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "198.51.99.255", "203.0.114.0", "223.255.255.255", "8.8.8.8", "::ffff:8.8.8.8", "2000::1",
    "2001:200::1", "2001:db7::1", "2001:db9::1", "2003::1", "2606:4700::1", "3ffe::1",
    "3fff:1000::1",
  ])
  func theseArePublic(text: String) { #expect(Address(text).isPublic) }

  private func attempt(_ url: String, allowed: String?) -> Exchange {
    var settings = ClientRun.Settings()
    settings.allowAny = false
    settings.allowed = allowed
    let run = ClientRun(settings)
    let one = run.start("one", url)
    run.run()
    return one
  }

  @Test(arguments: [
    ("10.1.2.3", "10.1.2.3"), ("127.0.0.1", "127.0.0.1"), ("169.254.169.254", "169.254.169.254"),
    ("[::1]", "::1"), ("[::ffff:127.0.0.1]", "127.0.0.1"), ("[fd00::7]", "fd00::7"),
    ("2130706433", "127.0.0.1"), ("0x7f.1", "127.0.0.1"),
  ])
  func refusedAddressesAreNamedAndNothingElse(host: String, named: String) {
    let one = attempt("http://\(host):9/", allowed: nil)
    #expect(one.code == CR_TRANSFER_ADDRESS_REFUSED)
    #expect(one.message == named)
    #expect(one.address == "")
  }

  @Test func aNamesAddressesAreRefusedAfterResolution() {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let refused = attempt("http://localhost:\(upstream.port)/", allowed: "10.0.0.0/8")
    #expect(refused.code == CR_TRANSFER_ADDRESS_REFUSED)
    #expect(refused.message.contains("127.0.0.1"))
    #expect(upstream.connections == 0)
    let taken = attempt("http://localhost:\(upstream.port)/", allowed: "127.0.0.1")
    #expect(taken.code == CR_TRANSFER_OK)
  }

  @Test(arguments: [
    ("127.0.0.1", true), ("127.0.0.0/8", true), ("127.0.0.1/32", true), ("0.0.0.0/0", true),
    (" 10.0.0.0/8 ,\t127.0.0.0/31, ", true), ("::ffff:127.0.0.1", true), ("::/0", true),
    ("127.0.0.0/32", false), ("127.0.0.2/31", false), ("128.0.0.0/1", false), ("::1", false),
    ("::1/128,10.0.0.0/8", false), ("", false),
  ])
  func allowedNetworksAreExact(networks: String, taken: Bool) {
    let upstream = Upstream(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let one = attempt(upstream.url(), allowed: networks)
    #expect(one.code == (taken ? CR_TRANSFER_OK : CR_TRANSFER_ADDRESS_REFUSED))
  }

  @Test(arguments: [
    "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/ 8", "/8",
    "::/129", "localhost", "10.0.0.0/8 11.0.0.0/8", "127.0.0.1/99999999999999999999",
    "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/128",
  ])
  func networksThatAreNoneAreNamed(network: String) {
    let run = ClientRun()
    var settings = ClientRun.Settings()
    settings.allowed = "10.0.0.0/8, \(network)"
    let (result, message) = run.open(settings)
    #expect(result == CR_EINVALID.rawValue)
    #expect(message == "not an IP network: \"\(network)\"")
    run.post { cr_loop_stop(run.loop) }
    run.run()
  }
}
