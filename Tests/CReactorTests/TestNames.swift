// Names of the tests' own: libcurl finds this getaddrinfo before the C library's.
//
// "127-0-0-1.127-0-0-2.all.test" has the addresses that it spells; "127-0-0-1.127-0-0-2.x.turns.test"
// has the first of them when it is looked up first, then the second, which remains; x keeps tests
// apart. All other names are left to the C library.

import Glibc
import Synchronization

private typealias Addresses = UnsafeMutablePointer<addrinfo>
private typealias Lookup =
  @convention(c) (
    UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<addrinfo>?,
    UnsafeMutablePointer<Addresses?>
  ) -> Int32

private let lookups = Mutex<[String: Int]>([:])

private let system: Lookup = {
  let next = UnsafeMutableRawPointer(bitPattern: -1)  // RTLD_NEXT
  return unsafeBitCast(dlsym(next, "getaddrinfo")!, to: Lookup.self)
}()

@_cdecl("getaddrinfo")
public func testsGetaddrinfo(
  _ node: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>?,
  _ hints: UnsafePointer<addrinfo>?, _ out: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>
) -> Int32 {
  let name = node.map { String(cString: $0) } ?? ""
  var labels = name.split(separator: ".").map { $0.split(separator: "-").joined(separator: ".") }
  guard labels.count > 2, labels.removeLast() == "test" else {
    return system(node, service, hints, out)
  }
  if labels.removeLast() == "turns" {
    let turn = lookups.withLock { lookups in
      lookups[name, default: 0] += 1
      return lookups[name, default: 0]
    }
    labels.removeLast()
    labels = [labels[min(turn, labels.count) - 1]]
  }
  out.pointee = nil
  // Linked from the last to the first; freeaddrinfo frees each by itself.
  for label in labels.reversed() {
    var one: UnsafeMutablePointer<addrinfo>?
    let failed = system(label, service, hints, &one)
    guard failed == 0, let one else { return failed }
    one.pointee.ai_next = out.pointee
    out.pointee = one
  }
  return 0
}
