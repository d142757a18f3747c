// Finderfee on a marketing site: keeps the click ids that partners' links bring, on this site
// alone, and hands them to forms and to Stripe. docs/marketing-sites.md tells how to embed it.
((window, document) => {
  if (window.finderfee?.clickIds) return;
  const script = document.currentScript || { dataset: {} };
  const { param = "click_id", code, host, key, domain, consent, keep, days = 90 } = script.dataset;
  const query = new URLSearchParams(location.search);
  const STORE = "finderfee";
  const most = /^0*[1-9]\d*$/.test(keep) ? Math.min(keep, 20) : 10;
  const isId = (text) => /^[\w-]{60}$/.test(text);

  // Of this page view, and with what is stored beside it: [id, seconds since 1970], oldest first.
  const seen = [];
  let clicks = seen;
  let granted = consent != "required" || window.finderfeeConsent === true;
  let asked = false;

  // A frame above us that we may not look into belongs to another site.
  const isFramed = (frame) => {
    try {
      return frame != frame.parent && (!frame.parent.location.href || isFramed(frame.parent));
    } catch {
      return true;
    }
  };
  const foreign = isFramed(window);
  const isPrivate = () => navigator.globalPrivacyControl;

  const read = () => {
    try {
      return domain ? /(?:^|; )finderfee=([^;]*)/.exec(document.cookie)[1] : localStorage[STORE];
    } catch {}
  };
  const write = (text) => {
    try {
      if (domain) {
        const age = text ? days * 86400 : 0;
        const secure = location.protocol == "https:" ? ";secure" : "";
        document.cookie = `${STORE}=${text};domain=${domain};path=/;max-age=${age};samesite=lax${secure}`;
      } else if (text) localStorage[STORE] = text;
      else delete localStorage[STORE];
    } catch {}
  };

  const merge = () => {
    const oldest = Date.now() / 1000 - days * 86400;
    const stored = (read() || "").split("~").map((part) => {
      const [id, since = ""] = part.split(".");
      return [id, parseInt(since, 36)];
    });
    const known = stored.filter(([id, since]) => isId(id) && since > oldest);
    const added = seen.filter(([id]) => !known.some(([other]) => other == id));
    return [...known, ...added].slice(-most);
  };
  const refresh = () => {
    const stores = granted && !isPrivate();
    clicks = seen;
    if (!foreign && stores) {
      clicks = merge();
      write(clicks.map(([id, since]) => id + "." + since.toString(36)).join("~"));
    }
    fill();
  };
  const add = (id) => {
    if (isId(id)) seen.push([id, Math.floor(Date.now() / 1000)]);
    refresh();
  };

  const clickIds = () => clicks.map(([id]) => id);
  const fill = () => {
    const ids = clickIds();
    const last = ids[ids.length - 1] || "";
    const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
    each("input[data-finderfee]", (input) => {
      input.value = input.dataset.finderfee == "last" ? last : ids.join();
    });
    // What the site itself has set there stays; only what is empty or ours changes.
    const pass = (given, change) => {
      if ((!given || isId(given)) && (given || "") != last) change();
    };
    each('a[href^="https://buy.stripe.com/"],a[data-finderfee][href]', (link) => {
      // What is no page's address can't be read as one, and must not keep the rest from its ids.
      if (!link.host) return;
      const name = "client_reference_id";
      const url = new URL(link.href);
      const query = url.searchParams;
      pass(query.get(name), () => {
        last ? query.set(name, last) : query.delete(name);
        link.href = url;
      });
    });
    each("stripe-buy-button,stripe-pricing-table", (element) => {
      const name = "client-reference-id";
      pass(element.getAttribute(name), () => {
        last ? element.setAttribute(name, last) : element.removeAttribute(name);
      });
    });
  };

  // A site without our redirect: its own address carries a link's code, which becomes a click.
  const ask = () => {
    if (!key || !query.get(code) || query.has(param) || asked || foreign || !granted) return;
    asked = true;
    fetch(new URL("/v1/track/click", script.src), {
      method: "POST",
      keepalive: true,
      headers: { Authorization: "Bearer " + key, "Content-Type": "application/json" },
      body: JSON.stringify({
        code: query.get(code),
        host,
        url: location.href.slice(0, 2000),
        referrer: document.referrer.slice(0, 2000),
      }),
    })
      .then((answer) => answer.json())
      .then((told) => add(told.click_id))
      .catch(() => {});
  };

  if (!foreign && isPrivate()) write("");
  add(query.get(param));
  ask();
  new MutationObserver(fill).observe(document, { childList: true, subtree: true });
  window.finderfee = {
    clickIds,
    consent: (given) => {
      granted = given === true;
      if (!granted && !foreign) write("");
      refresh();
      ask();
    },
  };
})(window, document);
