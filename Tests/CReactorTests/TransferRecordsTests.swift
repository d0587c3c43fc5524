// TLS records as awkward as they come: the upstream decides what is in a record, and which bytes of
// which records arrive together. Nothing may be lost, doubled or waited for.
//
// A path says how its answer is sent: /WAY/RECORD/LENGTH/AT. The body of LENGTH bytes is encrypted in
// records of RECORD bytes; AT is the byte at which the ciphertext is cut in two, where the way is "cut".

import CReactor
import Glibc
import Testing

@Suite(.serialized) struct TransferRecordsTests {
  private static let server = """
    import socket, ssl, sys, threading, time
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[1] + ".key")
    if sys.argv[2] == "1.2": context.maximum_version = ssl.TLSVersion.TLSv1_2
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def pattern(length):
        return (bytes(range(97, 120)) * (length // 23 + 1))[:length]

    def serve(raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(coming, going, server_side=True)
        def receive(step):
            while True:
                try: return step()
                except ssl.SSLWantReadError:
                    raw.sendall(going.read())
                    data = raw.recv(65536)
                    if not data: raise OSError
                    coming.write(data)
        receive(tls.do_handshake)
        if sys.argv[3] == "tickets first": raw.sendall(going.read()); time.sleep(0.01)
        while True:
            request = b""
            while b"\\r\\n\\r\\n" not in request:
                more = receive(lambda: tls.read(65536))
                if not more: return raw.close()
                request += more
            way, record, length, at = request.split()[1].decode().split("/")[1:]
            record, length, at = int(record), int(length), int(at)
            framing = "" if way == "open" else f"Content-Length: {length}\\r\\n"
            head = f"HTTP/1.1 200 OK\\r\\n{framing}\\r\\n".encode()
            if way == "one": tls.write(head + pattern(length))
            else:
                tls.write(head)
                body = pattern(length)
                for start in range(0, length, record): tls.write(body[start:start + record])
            if way in ("open", "close", "alert"):
                try: tls.unwrap()
                except ssl.SSLWantReadError: pass
            cipher = going.read()
            if way == "drip":
                for byte in cipher:
                    raw.sendall(bytes([byte]))
                    time.sleep(0.0002)
            elif way in ("cut", "alert"):
                cut = at if at >= 0 else len(cipher) + at
                raw.sendall(cipher[:cut])
                time.sleep(0.003)
                raw.sendall(cipher[cut:])
            elif way == "reset":
                raw.sendall(cipher[:at])
                time.sleep(0.01)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
                break
            else: raw.sendall(cipher)
            if way in ("open", "close", "alert"): break
        raw.close()

    def attempt(raw):
        try: serve(raw)
        except OSError: raw.close()

    while True: threading.Thread(target=attempt, args=(listener.accept()[0],), daemon=True).start()
    """

  /// Nobody listens at the first.
  private static let twoAddresses = "127-0-0-2.127-0-0-1.all.test"

  private final class Origin {
    private let certificates = Certificates()
    private let child: Child
    let settings: ClientRun.Settings
    private let port: String

    init(version: String = "1.3", tickets: String = "tickets with the answer") {
      let certificate = certificates.make(
        "good.pem", name: "IP:127.0.0.1,DNS:\(TransferRecordsTests.twoAddresses)")
      child = Child(["python3", "-c", TransferRecordsTests.server, certificate, version, tickets])
      port = child.line().filter { $0 != "\n" }
      var settings = ClientRun.Settings()
      settings.certificates = certificate
      settings.plain = false
      self.settings = settings
    }

    func url(
      _ way: String, record: Int = 16384, length: Int, at: Int = 0, host: String = "127.0.0.1"
    ) -> String {
      "https://\(host):\(port)/\(way)/\(record)/\(length)/\(at)"
    }

    deinit { certificates.remove() }
  }

  private static func pattern(_ length: Int) -> String {
    String(decoding: (0..<length).map { UInt8(97 + $0 % 23) }, as: UTF8.self)
  }

  /// One after the other, as connections are kept.
  private func get(_ origin: Origin, _ urls: [(String, Int)]) {
    let run = ClientRun(origin.settings)
    run.stopsWhenDone = false
    var request = ClientRun.Request()
    request.stallTimeout = 3000
    request.firstByteTimeout = 3000
    func next(_ n: Int) {
      if n == urls.count { return run.post { cr_loop_stop(run.loop) } }
      run.start("\(n)", urls[n].0, request) { one in
        one.collect(1 << 22)
      } whenDone: { one in
        #expect(one.code == CR_TRANSFER_OK, "\(urls[n].0): \(one.message)")
        #expect(one.body == Self.pattern(urls[n].1), "\(urls[n].0)")
        next(n + 1)
      }
    }
    next(0)
    run.run()
  }

  @Test(arguments: ["1.2", "1.3"])
  func recordsOfAnySizeThatComeInOneBurst(version: String) {
    let origin = Origin(version: version)
    let sizes = [1, 2, 4, 5, 6, 7, 16, 100, 1000, 4091, 4096, 8192, 16379, 16383, 16384]
    get(origin, sizes.map { (origin.url("burst", record: $0, length: $0 * 37 + 3), $0 * 37 + 3) })
  }

  @Test func headAndBodyInOneRecord() {
    let origin = Origin()
    get(origin, [0, 1, 5, 1000, 16000].map { (origin.url("one", length: $0), $0) })
  }

  @Test func manyMoreRecordsThanAreReadAtOnce() {
    let origin = Origin()
    get(origin, [(origin.url("burst", record: 3, length: 30_000), 30_000)])
    get(origin, [(origin.url("burst", record: 16384, length: 4_000_000), 4_000_000)])
  }

  @Test(arguments: ["1.2", "1.3"]) func bytesOneByOne(version: String) {
    let origin = Origin(version: version)
    get(origin, [1, 10, 40].map { (origin.url("drip", record: $0, length: 60), 60) })
  }

  /// The second part comes after what was read of the first has been dealt with.
  @Test(arguments: ["tickets first", "tickets with the answer"])
  func burstsThatAreCutAnywhere(tickets: String) {
    let origin = Origin(tickets: tickets)
    get(origin, (1..<150).map { (origin.url("cut", record: 9, length: 30, at: $0), 30) })
  }

  @Test func anEndThatComesWithTheLastRecord() {
    let origin = Origin()
    for _ in 0..<5 {
      get(
        origin,
        ["close", "burst", "open", "burst"].map {
          (origin.url($0, record: 100, length: 5000), 5000)
        })
    }
  }

  /// A part of it is there already when the connection goes back to curl's pool.
  @Test func anEndThatIsCutBehindTheLastRecord() {
    let origin = Origin()
    for cut in 1...24 {
      get(
        origin,
        [
          (origin.url("alert", record: 100, length: 300, at: -cut), 300),
          (origin.url("burst", record: 100, length: 300), 300),
        ])
    }
  }

  @Test func aResetIsNoEndAndNoWait() {
    let origin = Origin()
    let run = ClientRun(origin.settings)
    var request = ClientRun.Request()
    request.stallTimeout = 3000
    for at in [400, 405, 410, 3000] {
      run.start("\(at)", origin.url("reset", record: 100, length: 5000, at: at), request) { one in
        one.collect()
      } whenDone: { one in
        #expect(one.code == CR_TRANSFER_BROKEN)
        #expect(one.message.contains("reset by peer"))
      }
    }
    run.run()
  }

  @Test func aSlowClientGetsRecordsOfAnySize() {
    let origin = Origin()
    for record in [100, 4091, 16384] {
      let length = 3_000_000
      let run = ClientRun(origin.settings)
      run.stopsWhenDone = false
      let front = RelayFront(run) { connection in
        #expect(RelayFront.begin(connection, length: length) == 0)
        run.start("one", origin.url("burst", record: record, length: length)) { one in
          #expect(one.relay(to: connection) == 0)
        }
      }
      let downstream = Downstream(port: front.port, delay: 100_000) {
        run.post { cr_loop_stop(run.loop) }
      }
      run.run()
      #expect(downstream.body == Self.pattern(length))
    }
  }

  /// As the kernel counts for this thread: it counts readv, but not recv.
  @Test(arguments: ["127.0.0.1", Self.twoAddresses])
  func recordsAreReadWithTheNextOnesHead(host: String) {
    func reads() -> Int {
      let file = fopen("/proc/thread-self/io", "r")!
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 128)
      while fgets(&line, 128, file) != nil {
        let words = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
          .split { " \n".contains($0) }
        if words.first == "syscr:" { return Int(words[1])! }
      }
      return 0
    }
    let origin = Origin()
    let run = ClientRun(origin.settings)
    let records = 200
    var before = 0
    run.start("one", origin.url("burst", length: records * 16384, host: host)) { one in
      before = reads()
      one.collect(1 << 22)
    } whenDone: { one in
      #expect(one.code == CR_TRANSFER_OK)
      #expect(reads() - before >= records - 10)
    }
    run.run()
  }
}
