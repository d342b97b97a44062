"""Makes snippets.json: small templates rendered by jinja2 as transformers sets it up. Usage: make_snippets.py OUT.json

OUT: {"vars": …, "rows": [{src, output} or {src, error}]}; error is the kind of the exception.
Left out, since no chat template uses them: filesizeformat, xmlattr, random, translate, encode, autoescape, block, the repr of range.
"""
import json, sys
from transformers.utils import chat_template_utils as ctu

VARS = {
    "s": "Hello World", "u": "häß ſtraße İi", "ml": "a\nb\n\nc", "empty": "", "html": "<b>\"x\" & 'y'</b>",
    "n": 7, "neg": -3, "z": 0, "big": 9007199254740993, "f": 2.5, "g": 1e22, "h": 1e-7, "t": True, "no": False, "nil": None,
    "l": [3, 1, 2], "ls": ["b", "A", "c"], "ll": [[1, 2], [3]], "e": [], "mix": [1, "a", None, True, 2.0],
    "d": {"b": 1, "a": [1, 2], "c": None}, "dd": {"x": {"y": "z"}},
    "users": [{"name": "bob", "age": 3, "on": True}, {"name": "Al", "age": 5, "on": False}, {"name": "cy", "age": 3, "on": True}],
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}, {"role": "user", "content": "so"}],
}

def exprs(text):
    return ["{{ " + x.strip() + " }}" for x in text.strip().split("\n") if x.strip()]

ROWS = exprs(r'''
s|upper
s|lower
s|title
"it's o'neil foo-bar"|title
u|upper
u|lower
u|title
u|capitalize
u.swapcase()
u.casefold()
"hELLO wORLD"|capitalize
s|length
l|count
d|length
s|reverse
l|reverse|list
s|first
s|last
e|first
e|last
l|sum
users|sum(attribute='age')
l|sum(start=10)
l|min
l|max
ls|min
ls|max
ls|max(case_sensitive=true)
users|max(attribute='age')
e|max
l|sort
l|sort(reverse=true)
ls|sort
ls|sort(case_sensitive=true)
users|sort(attribute='name')|map(attribute='name')|list
users|sort(attribute='age,name')|map(attribute='name')|list
ls|unique|list
['a','A','b']|unique|list
['a','A','b']|unique(case_sensitive=true)|list
users|unique(attribute='age')|map(attribute='name')|join
l|join
l|join('-')
ls|join(', ')
users|join(', ', attribute='name')
users|map(attribute='name')|map('upper')|list
users|map(attribute='zip', default='?')|list
ls|map('length')|list
l|map('string')|list
ls|map('replace', 'b', 'x')|list
users|selectattr('on')|map(attribute='name')|list
users|rejectattr('on')|map(attribute='name')|list
users|selectattr('age','equalto',3)|list|length
users|selectattr('age','>',3)|map(attribute='name')|first
users|selectattr('age','in',[5,6])|map(attribute='name')|list
mix|select|list
mix|reject|list
mix|select('string')|list
mix|select('number')|list
l|select('odd')|list
l|reject('odd')|list
l|select('gt', 1)|list
l|batch(2)|list
l|batch(2,'x')|list
l|slice(2)|list
range(10)|slice(3)|list
range(10)|slice(3,'x')|list
users|groupby('age')|list|length
users|groupby('age')|map(attribute='grouper')|list
users|groupby('age')|map('first')|list
users|groupby('age')|map(attribute=0)|list
d|items|list
d|dictsort
d|dictsort(reverse=true)
{'b':2,'A':1,'c':0}|dictsort
{'b':2,'A':1,'c':0}|dictsort(true)
{'b':2,'A':1,'c':0}|dictsort(false,'value')
{'b':2,'A':1,'c':0}|dictsort(by='value', reverse=true)
d|list
s|list
nope|default('x')
nil|default('x')
nil|default('x', true)
empty|d('y')
empty|d('y', boolean=true)
nope|default
n|default(3)
"42"|int
"4.7"|int
"x"|int
"x"|int(5)
"0x1f"|int(0,16)
"ff"|int(base=16)
"0b11"|int(0, 2)
f|int
t|int
nil|int
neg|abs
"1.5"|float
"x"|float
"x"|float(2.5)
n|float
f|round
2.567|round(2)
2.567|round(1,'floor')
2.561|round(1,'ceil')
2.5|round|int
3.5|round
-2.5|round
1234.5|round(-2)
7|round
0.1+0.2
1/3
10/2
10/4
7//2
-7//2
7//-2
7%3
-7%3
7%-3
7.5%2
-7.5%2
2**10
2**-1
2**0.5
(-8)**2
-8**2
1e3
1.0
1e16
1e15
123456789012345680.0
1e-4
1e-5
1.5e300*1e10
1e308*10
-1e308*10
g
h
big
big*2
1_000
0x1f
0b101
0o17
true
True
none
None
false
t+1
t and n
z or 'x'
no or z
not s
not not s
n > 3 and n < 10
1 < 2 < 3
1 < 3 < 2
3 > 2 > 1 == true
1 == 1.0
1 == true
'1' == 1
[1,2] == [1,2]
(1,2) == [1,2]
{'a':1} == {'a':1.0}
[1,2] < [1,3]
'a' < 'b'
'a' in 'abc'
'x' not in d
'a' in d
1 in l
not 1 in l
'a' ~ 1 ~ none ~ 2.0 ~ true
'a' + 'b'
'ab' * 3
3 * 'ab'
[1] * 2
[1] + [2]
(1,) + (2,)
'%s-%d' % ('a', 3)
'%5.2f|%-5s|%05d|%x|%X|%o|%e|%g' % (3.14159, 'ab', 42, 255, 255, 8, 12345.678, 0.0001)
'%s' % 'x'
'%r' % 'x'
'%(a)s' % {'a': 1}
'%%'|format
'%s %s'|format('a','b')
'%s'|format(l)
'{} {}'.format('a', 1)
'{0} {1} {0}'.format('a', 1)
'{x}'.format(x=3)
'{:>5}|{:<5}|{:^5}|'.format('a','b','c')
'{:5}|{:5}|'.format('a', 3)
'{:05d}|{:.2f}|{:x}'.format(42, 3.14159, 255)
'{:,}'.format(1234567)
'{:*^9}'.format('mid')
'{!r}'.format('a')
'{0[a]}'.format({'a': 5})
'{{}}'.format()
1 if t else 2
1 if no
(1 if no) is defined
'a' if no else 'b' if z else 'c'
l[0]
l[-1]
l[9]
l[1:]
l[:-1]
l[::-1]
l[::2]
l[5:]
l[-2:]
s[0]
s[-3:]
s[::-1]
s[1:8:3]
s[99]
u[1]
u[0:3]
d.b
d['b']
d.zip
d['zip']
d.zip.zap
d.get('b')
d.get('q')
d.get('q', 4)
d.keys()|list
d.values()|list
d.items()|list
d.items
dd.x.y
dd['x']['y']
l.0
ll[0][1]
ll.0.1
users[0].name
users.0.name
users[0]['name']
nope
nope.x
nope + 1
nope ~ 'x'
nope|length
nope|upper
nope|list
nope == none
nope == nope2
not nope
nope is defined
nope.x is defined
d.zip is defined
d.zip is undefined
'x' in nope
nope in 'x'
nope[0]
nope()
d.b is number
n is integer
f is float
t is integer
t is number
t is boolean
s is string
l is sequence
s is sequence
d is mapping
d is sequence
d is iterable
n is iterable
nil is none
nil is not none
n is odd
n is even
n is divisibleby 7
n is divisibleby(3)
n is sameas n
t is sameas true
1 is sameas true
s is lower
'abc' is lower
'ABC' is upper
'1' is lower
n is eq 7
n is equalto 7
n is ne 7
n is lt 8
n is le 7
n is gt 7
n is ge(7)
n is in [7]
n is not in [7]
'upper' is filter
'nah' is filter
'odd' is test
range is callable
s is callable
s is escaped
t is true
no is false
1 is true
s.split()
s.split('o')
s.split('o', 1)
s.rsplit('o', 1)
'a,b,,c'.split(',')
' a  b '.split()
' a  b '.split(' ')
'a b c d'.split(None, 2)
'a b c d'.rsplit(None, 1)
'a b c'.split(maxsplit=1)
ml.splitlines()
'a\r\nb\rc\n'.splitlines()
'a\nb'.splitlines(true)
s.strip('Hd')
'  x '.strip() ~ '|'
'  x '.lstrip() ~ '|'
'  x '.rstrip() ~ '|'
'xxaxx'|trim('x')
'\n a \n'|trim
s.startswith('Hell')
s.startswith(('x','H'))
s.endswith('ld')
s.endswith('x')
s.startswith('ello', 1)
s.find('o')
s.find('o', 5)
s.rfind('o')
s.find('q')
s.index('o')
s.index('q')
s.count('l')
s.replace('l','L')
s.replace('l','L',1)
s|replace('l','L')
s|replace('l','L',2)
s.upper()
s.title()
s.capitalize()
s.swapcase()
s.center(15,'*')
s.ljust(13,'.')
s.rjust(13,'.')
'7'.zfill(3)
'-7'.zfill(4)
'abc'.isalpha()
'12'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'a1'.isalnum()
' '.isspace()
''.isspace()
'Ab'.istitle()
'AB'.isupper()
'a b'.isidentifier()
'a\tb'.expandtabs(4)
'-'.join(ls)
'-'.join(l)
s.removeprefix('Hello ')
s.removesuffix('World')
s.partition(' ')
s.rpartition('o')
s.partition('q')
l.index(2)
l.count(1)
l.append(4)
l.copy()
d.copy()
d.update({'q':1})
d.pop('b')
s|center(20) ~ '|'
s|wordcount
s|truncate(8)
s|truncate(8, true)
s|truncate(5, true, '', 0)
'foo bar baz qux'|truncate(9)
'foo bar baz qux'|truncate(9, False, '..', 0)
ml|indent
ml|indent(2)
ml|indent(2, true)
ml|indent(2, false, true)
ml|indent(width='> ')
ml|indent(width='> ', first=true)
'<p>a <b>b</b>\n c</p>'|striptags
'a <!-- x --> b'|striptags
html|escape
html|e
html|safe
html|forceescape
html|escape|length
'a b/c?d=é&f'|urlencode
{'a b': 1, 'c': 'é'}|urlencode
[['a', 'x y'], ['b', 2]]|urlencode
n|urlencode
'the quick brown fox jumps'|wordwrap(10)
'the quick brown fox jumps'|wordwrap(10, wrapstring='|')
'aaaaaaaaaaaaaaa bb'|wordwrap(6)
'aaaaaaaaaaaaaaa bb'|wordwrap(6, false)
'one-two-three four'|wordwrap(8)
'a b\nc d e f g'|wordwrap(4)
d|pprint
l|pprint
s|pprint
d|attr('keys')
s|attr('nope') is defined
users[0]|attr('name')
users[0]|attr('name') is defined
d|tojson
d|tojson(indent=2)
e|tojson(indent=2)
{}|tojson(indent=2)
mix|tojson
html|tojson
u|tojson
u|tojson(ensure_ascii=true)
d|tojson(sort_keys=true)
d|tojson(separators=(',',':'))
d|tojson(indent=2, separators=(', ',': '))
d|tojson(indent='\t')
d|tojson(indent=0)
'\u2028\x7f\x01\\/'|tojson
'\u2028\x7f\x01\\/'|tojson(ensure_ascii=true)
'😀'|tojson(ensure_ascii=true)
[1.0, 1e22, 1e-7, 0.1, -0.0, 100000.0]|tojson
{1: 2, true: 3, none: 4, 1.5: 5}|tojson
(1, 2)|tojson
nope|tojson
[nope]|tojson
l
ls
mix
d
dd
(1,)
(1,'a')
()
{}
[[]]
{'a': (1, [2, {'b': none}])}
"it's"
["it's", 'a"b', 'it\'s "x"', 'a\nb\t\\', 'é', '\x00\x7f']
[u]
[1.0, 1e16, -0.0, 1e-5]
range(1,4)|list
range(5,0,-2)|list
range(0)|list
dict(a=1, b=2)
dict({'x': 1}, y=2)
[1,2,3][1]
{'a': 1}['a']
{'a': 1}.a
'abc'[1]
"a" "b"
'\u0041\x42\103\n|\q'
- n
+n
--n
2 - -1
s.__class__
d.__class__.__name__
l.__len__()
(n)|string ~ 'x'
n|string|length
9223372036854775807
-9223372036854775807
9223372036854775807|string
namespace is defined
cycler is defined
joiner is defined
loop is defined
varargs is defined
strftime_now is defined
raise_exception('boom')
undefined_fn('x')
s.nomethod()
l|nofilter
l is notest
1 +
"a" + 1
1 + "a"
1 / 0
1 % 0
[] + 1
d + d
s|string
nil|string
nil|upper
nil|length
n|length
n|list
n|join
l|first|string + 'x'
users|map(attribute='name')|join(',')|upper
users|map(attribute='on')|select|list|length
users|selectattr('name','defined')|list|length
users|selectattr('zip','undefined')|list|length
users|selectattr('zip')|list
users|map('attr','name')|list
users|map('zip')|list
messages|map(attribute='role')|unique|list
(messages|first).content
(messages|selectattr('role','equalto','user')|list)[-1].content
messages[1:]|map(attribute='content')|join('|')
messages|length - 1
l|sort|reverse|list
d.items()|map('first')|list
d.items()|sort|list
d.items()|list|tojson
9223372036854775807 - 1
'{:<8}|{:^8}|{:>8}|{:08.3f}|{:+d}|{:e}|{:g}|{:%}|{:b}|{:o}|{:X}'.format('a', 'b', 'c', 3.14159, 5, 12345.678, 0.5, 0.25, 5, 8, 255)
'{:5}|{:5}|{:5}|{:.1f}|{:.3}|{:_}|{:,.2f}'.format(1, 'a', true, 2.25, 'abcdef', 1234567, 1234567.891)
'{a[b]} {a.b} {0!s}'.format(1, a={'b': 2})
'{'.format()
'{} {}'.format(1)
'{x}'.format()
'{:d}'.format('a')
'a,b;c'.split(';')[0].split(',')[1]
' a b  c '.rsplit(None, 1)
'ab'.find('b', -1)
'abab'.rfind('a', 0, 2)
'x'.startswith('', 2)
'x y-z (q) <w> [e] {r}'|title
'ΑΣ ΟΔΟΣ'|lower
'ŉ ǰ ﬁ'|upper
'ǆ'|capitalize
2 ** 3 ** 2
-2 ** 2
2 ** -1
n ** 2 is odd
-n|abs ** 2
'a\nb\n'|wordwrap(3)
'  lead and trail  '|wordwrap(6)
users|sort(attribute='on,name')|map(attribute='name')|list
12345|round(-2)
12.5|round(0,'ceil')
'-0x1F'|int(base=16)
'1_0'|int
'0x1f'|int
(d.items()|list)[0][0]
''' )

ROWS += [
    "{% for x in l %}{{ x }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.cycle('a','b') }}{% endfor %}",
    "{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in l %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for x in e %}x{% else %}none{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}",
    "{% for x in l if x > 9 %}{{ x }}{% else %}E{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for a, b in [(1,2),(3,4)] %}{{ a+b }} {% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for a, (b, c) in [(1,(2,3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for x in s %}{{ x }}.{% endfor %}",
    "{% for x in nope %}x{% else %}E{% endfor %}",
    "{% for x in n %}x{% endfor %}",
    "{% for x in nil %}x{% endfor %}",
    "{% for x in l recursive %}{{ x }}{% endfor %}",
    "{% for x in [1,[2,[3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}",
    "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for y in ls %}{{ loop.index }}{{ y }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in [1] %}{{ outer.index }}{% endfor %}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }}",
    "{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.c is defined }}",
    "{% set ns = namespace() %}{% set ns.a = [] %}{% set ns.a = ns.a + [1] %}{{ ns.a }}",
    "{% set ns = {} %}{% set ns.a = 1 %}",
    "{% set a, b = 1, 2 %}{{ b }}{{ a }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set a %}x{{ n }}y{% endset %}{{ a }}|{{ a|length }}",
    "{% set a | upper %}x{{ s }}y{% endset %}{{ a }}",
    "{% set a | replace('x','q') | upper %}x{% endset %}{{ a }}",
    "{% if n > 5 %}a{% elif n > 3 %}b{% else %}c{% endif %}",
    "{% if nope %}a{% elif t %}b{% endif %}",
    "{% if l and not e %}ok{% endif %}",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(b=1, a=0) }}{{ m() }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(q=2) }}",
    "{% macro m(a) %}{{ caller() }}{{ a }}{% endmacro %}{% call m(1) %}in{% endcall %}",
    "{% macro m(xs) %}{% for x in xs %}{{ caller(x, loop.index) }};{% endfor %}{% endmacro %}{% call(x, i) m(l) %}{{ i }}:{{ x }}{% endcall %}",
    "{% macro m(a) %}{{ m.name }}{% endmacro %}{{ m(1) }}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro f() %}{{ s }}{{ q }}{% endmacro %}{% set q = 5 %}{{ f() }}",
    "{% macro f(a) %}{% set b = a %}{{ b }}{% endmacro %}{{ f(2) }}{{ b }}",
    "{% macro m() %} x {% endmacro %}[{{ m()|trim }}]{{ m()|length }}",
    "{% macro m(a=n) %}{{ a }}{% endmacro %}{{ m() }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}",
    "{% with %}{% set a = 3 %}{{ a }}{% endwith %}{{ a }}",
    "{% filter upper %}a{{ s }}b{% endfilter %}",
    "{% filter replace('l', 'L') | trim %}  hello {% endfilter %}|",
    "{% raw %}{{ x }}{% y %}{% endraw %}",
    "{%- raw -%}  {{ x }}  {%- endraw -%}  z",
    "{# comment #}a{# {{ x }} #}",
    "a\n{# c #}\nb",
    "a\n{% if t %}\nb\n{% endif %}\nc",
    "a\n  {% if t %}\n  b\n  {% endif %}\n  c\n",
    "a {%- if t -%} b {%- endif -%} c",
    "a {{- ' ' -}} b",
    "a\n\n{{- n }}\n\nb",
    "a\n\n{{ n -}}\n\nb",
    "  {%+ if t %}x{% endif %}",
    "{% if t +%}\nx{% endif %}",
    "{% if t -%}\n\n  x{% endif %}",
    "  {{ n }}\n  {{ n }}\n",
    "x\n", "x\n\n", "\n", "", "  ",
    "a  {# c #}  b", "  {# c #}\nb", "a\n  {#- c -#}  \nb",
    "\t{% set a = 1 %}\n\t{{ a }}",
    "x {% set a = 1 %}\n y",
    "{% set a = 1 %}  \n y",
    "{{ '{{' }}{{ '}}' }}{{ '{%' }}",
    "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}['a']['b']}}",
    "{{ [1, 2, ] }}{{ (1, 2, ) }}{{ {'a': 1, } }}",
    "{{ 1, 2 }}", "{{ 'a\nb' }}", "{{ \"a\\\"b\" }}", "a } b { c % d #",
    "{% generation %}x{{ n }}{% endgeneration %}",
    "{%- generation -%}  x  {%- endgeneration -%}",
    "{% do l.append(1) %}",
    "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}",
    "{% if %}x{% endif %}", "{% for %}", "{% endif %}", "{% if t %}", "{{ n", "{% foo %}", "{{ }}", "{{ 1 2 }}", "{# x", "{{ 'a }}",
    "{% set %}", "{% macro %}", "{{ a b }}", "{{ (1 }}", "{{ [1 }}", "{{ 1 if }}", "{% break %}", "{% for x in l %}{% endif %}",
    "{% raw %}x", "{{ n | }}", "{{ n is }}", "{{ . }}", "{{ n. }}", "{{ $ }}", "{{ n & 1 }}", "{{ n ?: 1 }}",
    "{% set c = cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.next() }}",
    "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}c",
    "{% set x = l %}{{ x|length }}{% set x = x + [9] %}{{ x }}{{ l }}",
    "{% set l2 = l[:] %}{{ l2 is sameas l }}{{ l2 == l }}",
    "{{ raise_exception('no: ' ~ n) }}",
    "{% if t %}{{ raise_exception('x') }}{% endif %}",
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alt') }}{% endif %}{{ '[' + m['role'] + ']' + m['content'] | trim + '[/]' }}{% endfor %}",
    "{% for m in messages %}\n{{- '<|' ~ m.role ~ '|>\\n' ~ m.content }}\n{%- if loop.last %}\n<end>\n{%- endif %}\n{% endfor %}",
    "{% set loop_messages = messages[1:] %}{% for m in loop_messages %}{{ m.role }}{% endfor %}{% set last = messages[-1] %}{{ last.content }}",
    "{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.content }}{% endfor %}",
    "{% set ns = namespace(i=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.i = loop.index0 %}{% endif %}{% endfor %}{{ ns.i }}",
    "{% if messages[0]['role'] == 'system' %}S{% else %}N{% endif %}{{ messages[0].tool_calls is defined }}{{ messages[0].get('tool_calls') }}",
    "{% if 'content' in messages[0] and messages[0]['content'] is string %}ok{% endif %}",
    "{%- set x = '' -%}\n{%- for i in range(3) -%}\n{%- set x = x ~ i -%}\n{{ x }}\n{%- endfor -%}\n[{{ x }}]",
    "{{ s if s is string else s|tojson }}{{ (d|tojson) if d is mapping }}",
    "{% for u in users|sort(attribute='age', reverse=true) %}{{ u.name }}{% endfor %}",
    "{% for g in users|groupby('age') %}{{ g.grouper }}:{{ g.list|length }} {% endfor %}",
    "{% for k, g in users|groupby('on') %}{{ k }}:{{ g|map(attribute='name')|join('+') }} {% endfor %}",
    "{% for row in l|batch(2, '-') %}{{ row|join(',') }};{% endfor %}",
    "{{ users|map(attribute='age')|sum }}{{ users|map(attribute='age')|sort|list }}",
    "{{ [1,2,3]|map('float')|list }}{{ ['1','x']|map('int', default=9)|list }}",
    "{% set text = s %}{% set text = text.split(' ')[-1].lstrip('W') %}{{ text }}",
    "{{ '</think>' in 'a</think>b' }}{{ 'a</think>b'.split('</think>')|last }}{{ 'a</think>b'.split('</think>')[0].rstrip('\\n') }}",
    "{{ 'a\\nb' }}|{{ 'a\\\\nb' }}|{{ \"tab\\t\" }}|",
    "{{ not t == no }}{{ not (t and no) }}{{ t == not no }}",
    "{{ 1 + 2 * 3 - 4 / 2 }}{{ (1 + 2) * 3 }}{{ 2 ** 3 ** 2 }}{{ 10 - 2 - 3 }}{{ 1 ~ 2 + 3 }}{{ 'a' ~ 'b' == 'ab' }}",
    "{{ n|float|string ~ f|int }}{{ -n|abs }}{{ (-n)|abs }}{{ - 2 ** 2 }}",
    "{{ n is odd and f is float or no }}{{ n is not odd }}{{ not n is odd }}{{ n is odd is true }}",
    "{{ 'x' if n is divisibleby 7 else 'y' }}{{ l|length > 2 }}{{ l|length == 3 and s|length }}",
    "{{ s|replace('World', 'you')|upper|list|first }}", "{{ ('a','b')|join('-') }}{{ {'a':1}|join }}",
    "{{ l.append }}"[:0] + "{{ caller is defined }}",
]

out = []
for src in ROWS:
    row = {"src": src}
    try:
        row["output"] = ctu._compile_jinja_template(src).render(**json.loads(json.dumps(VARS)))
        if " at 0x" in row["output"]: continue
    except Exception as e:
        row["error"] = type(e).__name__
    out.append(row)
if __name__ == "__main__":
    json.dump({"vars": VARS, "rows": out}, open(sys.argv[1], "w", encoding="utf8"), ensure_ascii=False, indent=0)
    print(len(out), "rows,", sum("error" in r for r in out), "errors")
