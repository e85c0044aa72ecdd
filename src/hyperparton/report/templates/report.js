(function () {
  "use strict";

  var OPERATOR = /^\s*('[^']*'|"[^"]*"|[^\s'"=<>!|][^'"=<>!|]*?)\s*(==|!=|<=|>=|=|<|>)\s*(.+?)\s*$/;
  var LOSSES = ["loss", "validation_loss", "experimental_loss", "scan"];

  function unquoted(text) {
    var quoted = text.length > 1 && text[0] === text[text.length - 1] && (text[0] === "'" || text[0] === '"');
    return quoted ? text.slice(1, -1) : text;
  }

  function value(row, column) {
    var cell = row.cells[column], raw = cell.getAttribute("data-value");
    if (raw === null) { return cell.textContent === "–" ? null : cell.textContent; }
    return raw === "" ? null : Number(raw);
  }

  // the column of a key, as `hyperparton report --filter` finds it; -1 if there is none
  function resolved(key, names, aliases, values) {
    var full = [key, aliases[key] || key].filter(function (name) { return names.indexOf(name) >= 0; })[0];
    if (full === undefined) {
      var ends = names.filter(function (name) { return name.slice(name.lastIndexOf(".") + 1) === key; });
      full = ends.length === 1 ? ends[0] : undefined;
    }
    var own = names.indexOf("parameter." + full);
    if (own >= 0 && values.every(function (each) { return isNaN(Number(each)); })) { return own; }
    return full === undefined ? -1 : names.indexOf(full);
  }

  function same(held, asked) {
    return typeof held === "number" ? asked !== "" && held === Number(asked) : String(held) === asked;
  }

  function passes(row, word, names, aliases) {
    var parts = OPERATOR.exec(word);
    var values = parts ? parts[3].split("|").map(function (each) { return unquoted(each.trim()); }) : [];
    var column = parts ? resolved(unquoted(parts[1]), names, aliases, values) : -1;
    if (column < 0) { return row.textContent.toLowerCase().indexOf(unquoted(word).toLowerCase()) >= 0; }
    var held = value(row, column), number = Number(values[0]);
    if (held === null) { return LOSSES.indexOf(names[column]) < 0; }
    if (parts[2] === "=" || parts[2] === "==" || parts[2] === "!=") {
      return values.some(function (each) { return same(held, each); }) === (parts[2] !== "!=");
    }
    if (typeof held !== "number" || isNaN(number)) { return false; }
    return { "<": held < number, "<=": held <= number, ">": held > number, ">=": held >= number }[parts[2]];
  }

  function sort(table, heads, rows, column, descending) {
    heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
    heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    rows.sort(function (one, two) {
      var a = value(one, column), b = value(two, column);
      if (a === null || b === null) { return (a === null) - (b === null); }
      var order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return descending ? -order : order;
    });
    rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
  }

  function begin() {
    var table = document.querySelector("#trials table");
    if (!table) { return; }
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    var rows = Array.prototype.slice.call(table.tBodies[0].rows);
    var names = heads.map(function (head) { return head.textContent; });
    document.querySelector(".scripted").hidden = false;
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        sort(table, heads, rows, column, head.getAttribute("aria-sort") === "ascending");
      });
    });
    var input = document.getElementById("filter");
    var aliases = JSON.parse(input.dataset.aliases);
    var apply = function () {
      var words = input.value.match(/(?:'[^']*'|"[^"]*"|[^\s'"]|['"])+/g) || [];
      var count = 0;
      rows.forEach(function (row) {
        row.hidden = !words.every(function (word) { return passes(row, word, names, aliases); });
        count += row.hidden ? 0 : 1;
      });
      var absent = words.map(function (word) { return OPERATOR.exec(word); }).filter(function (parts) {
        return parts && resolved(unquoted(parts[1]), names, aliases, []) < 0;
      }).map(function (parts) { return " The table has no column " + unquoted(parts[1]) + "."; });
      document.getElementById("shown").textContent = count + " of " + rows.length + " trials." + absent.join("");
    };
    input.addEventListener("input", apply);
    apply();
  }

  // what a reader has chosen, so that it stays when the page changes
  function chosen() {
    var input = document.getElementById("filter"), sorted = document.querySelector("#trials th[aria-sort]");
    return {
      filter: input ? input.value : "",
      column: sorted ? sorted.textContent : null,
      descending: sorted ? sorted.getAttribute("aria-sort") === "descending" : false,
      open: Array.prototype.map.call(document.querySelectorAll("details"), function (each) { return each.open; }),
      scroll: window.scrollY
    };
  }

  function choose(kept) {
    var input = document.getElementById("filter");
    if (input && kept.filter) { input.value = kept.filter; input.dispatchEvent(new Event("input")); }
    var heads = Array.prototype.slice.call(document.querySelectorAll("#trials th"));
    heads.filter(function (head) { return head.textContent === kept.column; }).forEach(function (head) {
      head.firstChild.click();
      if (kept.descending) { head.firstChild.click(); }
    });
    Array.prototype.forEach.call(document.querySelectorAll("details"), function (each, i) { each.open = !!kept.open[i]; });
    window.scrollTo(0, kept.scroll);
  }

  function renew() {
    return fetch("/").then(function (answer) { return answer.text(); }).then(function (text) {
      var page = new DOMParser().parseFromString(text, "text/html");
      if (!page.querySelector("main")) { return; }
      var kept = chosen();
      ["header", "main"].forEach(function (part) {
        document.querySelector(part).replaceWith(page.querySelector(part));
      });
      begin();
      choose(kept);
    });
  }

  // a point of a figure leads to its row, whatever the filter has hidden
  window.addEventListener("hashchange", function () {
    var row = document.getElementById(location.hash.slice(1)), input = document.getElementById("filter");
    if (row && row.hidden && input) {
      input.value = "";
      input.dispatchEvent(new Event("input"));
      row.scrollIntoView();
    }
  });

  begin();
  if (document.getElementById("live")) {
    var ask = function () {
      fetch("state").then(function (answer) { return answer.text(); }).then(function (state) {
        return state === document.getElementById("live").dataset.state ? null : renew();
      }).catch(function () {
        document.getElementById("live").textContent = "The dashboard has ended; this is what it showed last.";
      }).then(function () { setTimeout(ask, 2000); });
    };
    setTimeout(ask, 2000);
  }
})();
