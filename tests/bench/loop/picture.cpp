// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/loop/picture.hpp"

#include <algorithm>
#include <sstream>

namespace bench {

namespace {

constexpr double width = 900, height = 240, left = 70, gap = 60;

// One line; `y_of` gives a sample's value between 0 and 1.
template <class Value>
void draw(std::ostringstream& svg, const std::vector<Sample>& samples, double top,
          const std::string& colour, Value value) {
  const auto span = static_cast<double>(samples.back().at - samples.front().at);
  svg << "<polyline fill='none' stroke-width='1' stroke='" << colour << "' points='";
  // As many points as there are pixels.
  const std::size_t step = std::max<std::size_t>(1, samples.size() / static_cast<int>(width));
  for (std::size_t i = 0; i < samples.size(); i += step) {
    const double x = left + width * static_cast<double>(samples[i].at - samples.front().at) / span;
    svg << x << ',' << top + height * (1 - std::min(1.0, value(samples[i]))) << ' ';
  }
  svg << "'/>\n";
}

void label(std::ostringstream& svg, double top, const std::string& text, const std::string& most) {
  svg << "<rect x='" << left << "' y='" << top << "' width='" << width << "' height='" << height
      << "' fill='none' stroke='#999'/>\n<text x='" << left << "' y='" << top - 8 << "'>" << text
      << "</text>\n<text x='4' y='" << top + 10 << "'>" << most << "</text>\n<text x='4' y='"
      << top + height << "'>0</text>\n";
}

}  // namespace

std::string picture(const Scenario& scenario, const std::vector<Sample>& samples) {
  const double rates_top = 40, queue_top = rates_top + height + gap;
  const double rate_most = scenario.line_bps;
  std::uint64_t depth_most = scenario.curve.kmax;
  for (const Sample& one : samples) depth_most = std::max(depth_most, one.depth_bytes);
  std::ostringstream svg;
  svg << "<svg xmlns='http://www.w3.org/2000/svg' width='" << left + width + 20 << "' height='"
      << queue_top + height + 40 << "' font-family='sans-serif' font-size='12'>\n";
  label(
      svg, rates_top,
      "Rate of each of " + std::to_string(scenario.senders) + " QPs (" + scenario.dcqcn.name + ")",
      std::to_string(static_cast<int>(rate_most / 1e9)) + " Gb/s");
  for (unsigned i = 0; i < scenario.senders; ++i) {
    draw(svg, samples, rates_top, "hsl(" + std::to_string(360 * i / scenario.senders) + ",70%,45%)",
         [i, rate_most](const Sample& one) { return one.rate_bps[i] / rate_most; });
  }
  label(svg, queue_top, "Queue; dashed: Kmin and Kmax", std::to_string(depth_most / 1000) + " kB");
  for (const double mark : {scenario.curve.kmin, scenario.curve.kmax}) {
    const double y = queue_top + height * (1 - mark / static_cast<double>(depth_most));
    svg << "<line stroke='#c00' stroke-dasharray='4' x1='" << left << "' x2='" << left + width
        << "' y1='" << y << "' y2='" << y << "'/>\n";
  }
  draw(svg, samples, queue_top, "#036", [depth_most](const Sample& one) {
    return static_cast<double>(one.depth_bytes) / static_cast<double>(depth_most);
  });
  const double end_ms = static_cast<double>(samples.back().at) / 1e9;
  svg << "<text x='" << left + width - 60 << "' y='" << queue_top + height + 20 << "'>" << end_ms
      << " ms</text>\n</svg>\n";
  return svg.str();
}

}  // namespace bench
