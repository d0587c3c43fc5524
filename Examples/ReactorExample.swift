// The smallest useful server on Reactor: answers every request with its own body, or, when an origin
// is named, asks it the same and relays the answer, no faster than the client takes it.
//   reactor-example PORT [http://HOST:PORT]

import Glibc
import Reactor

@main struct ReactorExample {
  static func main() {
    let arguments = CommandLine.arguments + ["", ""]
    guard let port = UInt16(arguments[1]) else { exit(64) }
    exit(Loop.run { await serve(port, origin: arguments[2]) })
  }
}

@Loop func serve(_ port: UInt16, origin: String) async -> Int32 {
  do throws(ReactorError) {
    var settings = HTTPClient.Configuration()
    settings.allowPlainHTTP = true
    settings.allowAnyAddress = true
    let client = try HTTPClient(settings)
    let server = try Server(.init(host: "127.0.0.1", port: port)) { exchange in
      if let malformed = exchange.head.malformed {
        _ = await exchange.respond(malformed.status, [:], body: Array(malformed.reason.utf8))
      } else if origin.isEmpty {
        await echo(exchange)
      } else {
        await forward(exchange, to: origin, over: client)
      }
    }
    print("port=\(server.port)")
    fflush(nil)
    for await _ in AsyncStream(Void.self, { stop in Loop.onSignal(SIGTERM) { stop.finish() } }) {}
    server.close()
    while server.connections > 0, await Loop.sleep(milliseconds: 20) {}
    return 0
  } catch {
    print(error)
    return 1
  }
}

@Loop func echo(_ exchange: Exchange) async {
  do throws(BodyError) {
    let body = try await exchange.readBody(limit: 1 << 20)
    let type = exchange.head["content-type"] ?? "application/octet-stream"
    _ = await exchange.respond(200, ["Content-Type": type], body: body)
  } catch {
    _ = await exchange.respond(error == .tooLarge ? 413 : 400, [:])
  }
}

@Loop func forward(_ exchange: Exchange, to origin: String, over client: HTTPClient) async {
  let head = exchange.head
  guard head.method == "GET" || head.method == "HEAD" else {
    _ = await exchange.respond(405, ["Allow": "GET, HEAD"])
    return
  }
  do throws(TransferError) {
    let asked = TransferRequest(
      head.method, origin + head.target, headers: head["range"].map { ["Range": $0] } ?? [:])
    let transfer = try await client.start(asked)
    var headers = Headers()
    for name in ["Content-Type", "Content-Range", "ETag", "Last-Modified"] {
      if let value = transfer.head.headers[name] { headers.add(name, value) }
    }
    let (status, length) = (transfer.head.status, transfer.head.contentLength)
    if let length, length > 0, head.method == "GET" {
      // Body bytes stay in C: only their count comes back.
      guard exchange.begin(status, headers, length: length) else { return }
      _ = await exchange.relay(transfer).error == nil ? exchange.finish() : exchange.abort()
    } else {
      let body = try await transfer.collect(limit: 1 << 20)
      _ = await exchange.respond(status, headers, body: body, length: length)
    }
  } catch {
    _ = await exchange.respond(502, [:], body: Array("\(error)\n".utf8))
  }
}
