// HeadObject: the head of a GET without its body, from `stat` alone.

import Reactor

enum HeadObject {
  @Loop static func run(_ request: ObjectRequest) async throws(S3Error) -> Reply {
    let head = try request.head(try await request.stat())
    return head.reply(.none(length: head.length))
  }
}
