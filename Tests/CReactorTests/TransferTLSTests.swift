// Transfers over TLS: certificates and names are verified, old protocol versions are not spoken.
// The upstream is Python's ssl module; the certificates come from the openssl command.

import CReactor
import Glibc
import Testing

/// A child process whose standard output is read line by line; ended with the object.
final class Child {
  private var identifier = pid_t()
  private let output: UnsafeMutablePointer<FILE>

  init(_ arguments: [String]) {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var raw = arguments.map { strdup($0) } + [nil]
    let result = posix_spawnp(&identifier, arguments[0], &actions, nil, &raw, environ)
    precondition(result == 0, "can't start \(arguments[0])")
    for each in raw { free(each) }
    posix_spawn_file_actions_destroy(&actions)
    close(ends[1])
    output = fdopen(ends[0], "r")
  }

  func line() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard fgets(&buffer, 256, output) != nil else { return "" }
    return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  func wait() -> Int32 {
    var status: Int32 = 0
    waitpid(identifier, &status, 0)
    identifier = 0
    return status
  }

  deinit {
    if identifier != 0 {
      kill(identifier, SIGKILL)
      _ = wait()
    }
    fclose(output)
  }
}

struct Certificates {
  let folder: String

  init() {
    var template = Array("/tmp/creactor-tls-XXXXXX".utf8CString)
    folder = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  /// A self-signed certificate for `name`; returns its path, the key's is that with ".key" added.
  func make(_ file: String, name: String, days: Int = 2) -> String {
    let path = "\(folder)/\(file)"
    let status = Child([
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-nodes", "-keyout", path + ".key", "-out", path, "-days", "\(days)", "-subj", "/CN=test",
      "-addext", "subjectAltName=\(name)",
    ]).wait()
    precondition(status == 0)
    return path
  }

  func remove() { _ = Child(["rm", "-r", folder]).wait() }
}

@Suite(.serialized) struct TransferTLSTests {
  private static let server = """
    import socket, ssl, sys
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[1] + ".key")
    if sys.argv[2] == "old":
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_alpn_protocols(["h2", "http/1.1"])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        try:
            peer = context.wrap_socket(raw, server_side=True)
            data = b""
            while b"\\r\\n\\r\\n" not in data:
                part = peer.recv(65536)
                if not part: raise OSError
                data += part
            body = (data.split(b"\\r\\n")[0].decode() + " " + str(peer.selected_alpn_protocol())).encode()
            body += b"." * (200000 if b"/long" in data else 0)
            length = b"" if b"/open" in data else b"Content-Length: %d\\r\\n" % len(body)
            peer.sendall(b"HTTP/1.1 200 OK\\r\\n" + length + b"\\r\\n" + body)
            if b"/open" in data: peer.unwrap()
            peer.close()
        except OSError:
            raw.close()
    """

  private func get(
    _ certificate: String, trust: String?, path: String = "/", kind: String = "new"
  ) -> (Exchange, [String]) {
    let upstream = Child(["python3", "-c", Self.server, certificate, kind])
    let port = upstream.line().filter { $0 != "\n" }
    var settings = ClientRun.Settings()
    settings.certificates = trust
    settings.plain = false
    let run = ClientRun(settings)
    let one = run.start("one", "https://127.0.0.1:\(port)\(path)") { one in
      // Records that OpenSSL has decrypted already must not be forgotten over a pause.
      run.after(path == "/long" ? 50 : 0) { one.collect() }
    }
    run.run()
    return (one, run.events)
  }

  @Test(arguments: ["/", "/long", "/open"])
  func aTrustedUpstreamIsSpokenToInHTTP1(path: String) {
    let certificates = Certificates()
    defer { certificates.remove() }
    let good = certificates.make("good.pem", name: "IP:127.0.0.1")
    let (one, events) = get(good, trust: good, path: path)
    #expect(events == ["one head 200", "one done ok"])
    #expect(one.body.hasPrefix("GET \(path) HTTP/1.1 http/1.1"))
    #expect(one.length == nil || one.body.utf8.count == Int(one.length!))
  }

  @Test func certificatesAndNamesAreVerified() {
    let certificates = Certificates()
    defer { certificates.remove() }
    let good = certificates.make("good.pem", name: "IP:127.0.0.1")
    let other = certificates.make("other.pem", name: "IP:127.0.0.1")
    let wrong = certificates.make("wrong.pem", name: "IP:127.0.0.2,DNS:localhost")
    for (certificate, trust) in [(good, Optional(other)), (good, nil), (wrong, wrong)] {
      let (one, events) = get(certificate, trust: trust)
      #expect(events == ["one done tls failed"])
      #expect(!one.message.isEmpty)
    }
  }

  @Test func oldVersionsOfTLSAreNotSpoken() {
    let certificates = Certificates()
    defer { certificates.remove() }
    let good = certificates.make("good.pem", name: "IP:127.0.0.1")
    #expect(get(good, trust: good, kind: "old").1 == ["one done tls failed"])
  }

  @Test func aCertificateFileThatIsNoneIsRefusedAtOnce() {
    let run = ClientRun()
    for file in ["/nonexistent.pem", "/dev/null", "/etc/passwd"] {
      var settings = ClientRun.Settings()
      settings.certificates = file
      let (result, message) = run.open(settings)
      #expect(result == CR_ETLS.rawValue)
      #expect(message.contains(file))
    }
    run.post { cr_loop_stop(run.loop) }
    run.run()
  }

  @Test func configurationsThatAreWrongAreRefused() {
    let run = ClientRun()
    var settings = ClientRun.Settings()
    settings.active = 0
    #expect(run.open(settings).0 == CR_EINVALID.rawValue)
    settings = ClientRun.Settings()
    settings.agent = "a\r\nX: y"
    #expect(run.open(settings).0 == CR_EINVALID.rawValue)
    run.post { cr_loop_stop(run.loop) }
    run.run()
  }
}
