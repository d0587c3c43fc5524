// PageDocument: what all pages for people share: the skeleton, one style sheet and one script.
//
// Both stand in the page and are allowed by their hashes alone, so that injected markup could
// neither run nor load anything. No page needs the script: it adds copy buttons and local times.

import Crypto
import FoundationEssentials

enum PageDocument {
  /// What the Content-Security-Policy allows.
  static let styleHash = hash(style)
  static let scriptHash = hash(script)

  /// A whole document; `content` is HTML.
  static func html(title: String, _ content: String) -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>\(escaped(title)) · Globus over S3</title>
    <style>\(style)</style>
    </head>
    <body>
    <header>Globus over S3</header>
    <main>
    \(content)
    </main>
    <p id="announcement" role="status"></p>
    <script>\(script)</script>
    </body>
    </html>

    """
  }

  /// `text` as it may stand between tags and in quoted attributes.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static func hash(_ text: String) -> String {
    "sha256-" + Data(SHA256.hash(text.utf8)).base64EncodedString()
  }

  private static let style = """
    :root{color-scheme:light dark;--ground:#f4f6f9;--card:#fff;--text:#1b2430;--quiet:#52606f;\
    --line:#d5dce5;--code:#f1f4f8;--link:#0b57a4;--on-link:#fff;--good:#176b41;--bad:#a3341a}
    @media (prefers-color-scheme:dark){:root{--ground:#10151c;--card:#19212b;--text:#e6ebf1;\
    --quiet:#a5b1bf;--line:#354150;--code:#0e141b;--link:#86bdff;--on-link:#0d1a29;\
    --good:#6fd3a0;--bad:#ff9d80}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--ground);color:var(--text);\
    font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
    header,main{max-width:50rem;margin:0 auto;padding:0 1.25rem}
    header{padding-top:1.5rem;color:var(--quiet);font-weight:600;letter-spacing:.02em}
    main{padding-bottom:4rem}
    h1{margin:1.2rem 0 .4rem;font-size:1.9rem;line-height:1.2;letter-spacing:-.01em}
    h2{margin:0 0 .6rem;font-size:1.2rem;line-height:1.3}
    h3{margin:1.2rem 0 .2rem;font-size:1rem}
    p{margin:.5rem 0;max-width:44rem}
    a{color:var(--link);text-underline-offset:.15em}
    section{margin:1.25rem 0;padding:1.35rem 1.5rem 1.5rem;background:var(--card);\
    border:1px solid var(--line);border-radius:.75rem;scroll-margin-top:1rem}
    section[class]{padding-top:1.6rem;box-shadow:inset 0 .3rem var(--link)}
    section.good{box-shadow:inset 0 .3rem var(--good)}
    section.bad{box-shadow:inset 0 .3rem var(--bad)}
    section h1{margin-top:0}
    .lead{margin-bottom:1.2rem;font-size:1.1rem}
    .quiet{color:var(--quiet);font-size:.9rem}
    .local{display:block;color:var(--quiet);font-size:.9rem}
    nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:0;padding:0;list-style:none}
    nav a{display:inline-block;padding:.3rem 0}
    dl{display:grid;grid-template-columns:max-content 1fr;gap:.55rem 1.5rem;margin:0}
    dt{color:var(--quiet)}
    dd{margin:0;min-width:0;overflow-wrap:anywhere}
    dd ul{margin:0;padding:0;list-style:none}
    dd li+li{margin-top:.6rem}
    pre,code{font:.875rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
    p code{white-space:nowrap}
    figure{min-width:0;margin:.9rem 0 0;border:1px solid var(--line);border-radius:.5rem;\
    background:var(--code)}
    figcaption{display:flex;justify-content:space-between;align-items:center;gap:1rem;\
    min-height:2.75rem;padding:.2rem .4rem .2rem .9rem;border-bottom:1px solid var(--line);\
    color:var(--quiet);font-size:.875rem}
    pre{margin:0;padding:.8rem .9rem;overflow-x:auto;white-space:pre;border-radius:0 0 .5rem .5rem;\
    tab-size:4;scrollbar-width:thin;scrollbar-color:var(--quiet) transparent;\
    user-select:all;-webkit-user-select:all}
    button,.button,input{font:inherit;border-radius:.45rem}
    button,.button{padding:.5rem 1.1rem;border:1px solid var(--link);background:var(--link);\
    color:var(--on-link);font-weight:600;text-decoration:none;cursor:pointer}
    .button{display:inline-block;margin:.5rem 0}
    figcaption button{flex:none;min-width:5.5rem;padding:.25rem .8rem;background:transparent;\
    color:var(--link);font-weight:500;line-height:1.5}
    button:hover,.button:hover{filter:brightness(1.12)}
    figcaption button:hover{background:var(--link);color:var(--on-link);filter:none}
    label{display:block;margin-top:1rem;font-weight:600}
    .field{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:.4rem}
    input{flex:1 1 20rem;min-width:0;padding:.5rem .75rem;border:1px solid var(--quiet);\
    background:var(--card);color:var(--text)}
    input::placeholder{color:var(--quiet);opacity:1}
    :focus-visible{outline:3px solid var(--link);outline-offset:2px}
    pre:focus-visible{outline-offset:-1px}
    #announcement{position:absolute;width:1px;height:1px;margin:0;overflow:hidden;\
    clip-path:inset(50%)}
    @media (max-width:36rem){
    header,main{padding-left:1rem;padding-right:1rem}
    section{padding:1.1rem 1rem 1.25rem}
    h1{font-size:1.6rem}
    dl{grid-template-columns:1fr;gap:0}
    dd{margin-bottom:.7rem}
    dd:last-child{margin-bottom:0}}
    @media print{
    :root{--ground:#fff;--card:#fff;--text:#000;--quiet:#333;--line:#999;--code:#fff;--link:#000;\
    --good:#333;--bad:#333}
    body{font-size:10pt}
    nav,figcaption button{display:none}
    section{padding:0;border:0;margin:1.2rem 0}
    section[class]{box-shadow:none}
    figure,dl{break-inside:avoid}
    h2,h3,figcaption{break-after:avoid}
    pre{white-space:pre-wrap;overflow-wrap:anywhere}}
    """

  private static let script = """
    (() => {
      const announcement = document.getElementById("announcement");
      const copy = async pre => {
        try {
          await navigator.clipboard.writeText(pre.textContent);
          return true;
        } catch {
          // No such interface without TLS, or not allowed: the older way, and else by hand.
          getSelection().selectAllChildren(pre);
          return document.execCommand("copy");
        }
      };
      let last;
      for (const figure of document.querySelectorAll("figure")) {
        const caption = figure.querySelector("figcaption"), pre = figure.querySelector("pre");
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = "Copy";
        button.setAttribute("aria-label", "Copy: " + caption.textContent);
        button.addEventListener("click", async () => {
          const done = await copy(pre);
          if (last) last.textContent = "Copy";
          last = button;
          button.textContent = done ? "Copied" : "Selected";
          announcement.textContent = done ? "Copied: " + pre.getAttribute("aria-label")
            : "Selected; copy it with the keyboard";
        });
        caption.append(button);
      }
      for (const time of document.querySelectorAll("time")) {
        const form = {weekday: "long", day: "numeric", month: "long", hour: "2-digit",
          minute: "2-digit", timeZoneName: "short"};
        const local = document.createElement("span");
        local.className = "local";
        local.textContent = "here: " + new Date(time.dateTime).toLocaleString("en-GB", form);
        time.after(local);
      }
    })();
    """
}
