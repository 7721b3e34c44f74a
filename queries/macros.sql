-- Scalar macros that derived columns use. A macro's argument is pasted where it stands, so each is used few times: `lambda` gives
-- a value a name where it is needed more often.

-- The bytes of an IPv4 address in text form as 8 hex digits.
create or replace macro _ipv4_hex(ip) as
array_to_string(list_transform(string_split(ip, '.'), lambda part: printf('%02x', cast(part as integer))), '');

-- The bytes of an IPv6 address in text form (RFC 5952) as 32 hex digits. "::" stands for as many zeros as are missing, which
-- the number of colons tells; a dotted end, as in "::ffff:192.0.2.1", is two groups.
create or replace macro _ipv6_hex(ip) as list_transform(
    [case
        when ip like '%.%'
            then
                concat(
                    regexp_replace(ip, '[0-9.]+$', ''),
                    regexp_replace(_ipv4_hex(regexp_extract(ip, '[0-9.]+$')), '^....', '\0:')
                )
        else ip
    end],
    lambda text: array_to_string(
        list_transform(
            string_split(
                replace(text, '::', concat(':', repeat('0:', cast(8 - (length(text) - length(replace(text, ':', ''))) as bigint)))),
                ':'
            ),
            lambda part: lpad(part, 4, '0')
        ),
        ''
    )
)[1];

-- An end of a conversation as text that sorts by address and port: "c0000201:0050"; without port "c0000201:".
create or replace macro _end_hex(ip, port) as
concat(case when ip like '%:%' then _ipv6_hex(ip) else _ipv4_hex(ip) end, ':', coalesce(printf('%04x', port), ''));

-- Community ID version 1 with seed 0 (https://github.com/corelight/community-id-spec): the two ends in order of address, then port.
-- ICMP needs the types of both directions, which flows do not keep; of the other protocols that name ports the specification knows three.
create or replace macro community_id(protocol, ip_a, port_a, ip_b, port_b) as case
    when protocol is null or ip_a is null or ip_b is null or protocol in (1, 33, 58, 136) then null
    when protocol in (6, 17, 132) and (port_a is null or port_b is null) then null
    else list_transform(
        [list_sort([_end_hex(ip_a, port_a), _end_hex(ip_b, port_b)])],
        lambda ends: concat('1:', to_base64(unhex(sha1(unhex(concat(
            '0000',
            split_part(ends[1], ':', 1),
            split_part(ends[2], ':', 1),
            printf('%02x00', protocol),
            split_part(ends[1], ':', 2),
            split_part(ends[2], ':', 2)
        ))))))
    )[1]
end;
