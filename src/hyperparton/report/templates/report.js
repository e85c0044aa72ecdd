(function () {
  "use strict";
  var table = document.querySelector("#trials table");
  if (table) {
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    var body = table.tBodies[0];
    var rows = Array.prototype.slice.call(body.rows);
    var names = heads.map(function (head) { return head.textContent; });
    document.querySelector(".scripted").hidden = false;

    var value = function (row, column) {
      var cell = row.cells[column];
      var raw = cell.getAttribute("data-value");
      if (raw === null) { return cell.textContent; }
      return raw === "" ? null : Number(raw);
    };

    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var descending = head.getAttribute("aria-sort") === "ascending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        rows.sort(function (one, two) {
          var a = value(one, column), b = value(two, column);
          if (a === null || b === null) { return (a === null) - (b === null); }
          var order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
          return descending ? -order : order;
        });
        rows.forEach(function (row) { body.appendChild(row); });
      });
    });

    var test = function (row, word) {
      var parts = /^([^=<>!]+)(==|!=|<=|>=|=|<|>)(.+)$/.exec(word);
      var column = parts ? names.indexOf(parts[1]) : -1;
      if (column < 0) { return row.textContent.toLowerCase().indexOf(word.toLowerCase()) >= 0; }
      var held = value(row, column), asked = parts[3], number = Number(asked);
      if (held === null) { return true; }
      if (parts[2] === "=" || parts[2] === "==" || parts[2] === "!=") {
        var same = typeof held === "number" ? held === number : String(held) === asked;
        return same === (parts[2] !== "!=");
      }
      if (typeof held !== "number" || isNaN(number)) { return false; }
      return { "<": held < number, "<=": held <= number, ">": held > number, ">=": held >= number }[parts[2]];
    };

    var input = document.getElementById("filter");
    var apply = function () {
      var words = input.value.split(/\s+/).filter(Boolean);
      var count = 0;
      rows.forEach(function (row) {
        var kept = words.every(function (word) { return test(row, word); });
        row.hidden = !kept;
        count += kept ? 1 : 0;
      });
      document.getElementById("shown").textContent = count + " of " + rows.length + " trials.";
    };
    input.addEventListener("input", apply);
    apply();
  }

  var live = document.getElementById("live");
  if (live) {
    setInterval(function () {
      fetch("state").then(function (answer) { return answer.text(); }).then(function (state) {
        if (state !== live.dataset.state) { location.reload(); }
      }).catch(function () { live.textContent = "The dashboard has ended; this is what it showed last."; });
    }, 2000);
  }
})();
